"""The compiled engine's inner loop: interprets a packed program on flat arrays, without allocation or Python objects.

It follows docs/workflow.md and shares no code with the readable engine. `simulator.compiled_engine` packs what it reads and unpacks
what it writes. Two arrays hold everything, because every array more makes calls slower:

M  int64    a header (H_*), the packed program, cases and their ends, pools, queues, tokens, visits, events, ledger rows, the future
D  float64  one row of slots, then the volume ratio of each case's day

A pool or batch is a record of Q_* numbers, a token one of T_* numbers; a token is known by the index `t` of its record. A row has three
words: case, step, token, visit, result (32, 12, 4, 12, 4 bits); entered, started; ended, and for a branch of a fork the index of the
token's row before it, above a bit that is set when the row does not lie on the longest path.
"""

from __future__ import annotations

import math

import numpy as np

from simulator.clock import HOUR, NEVER, WEEK
from simulator.distributions import Kind
from simulator.draws import Entity
from simulator.jit import entry, jit, pointer
from simulator.ledger import OPEN, WITHOUT_POOL, Result
from simulator.program import Action, Op
from simulator.program import F as Field

# -- layout of M

(H_STATUS, H_STEPS, H_TYPES, H_POOLS, H_QUEUES, H_BEGIN, H_STOP, H_CALENDARS, H_PRIORITY, H_COVERS, H_RULES, H_TARGETS,
 H_MARK_RULES, H_CHANCES, H_TABLES, H_DISTRIBUTIONS, H_GAPS, H_PURPOSE, H_QUEUE_OF, H_SEED_LOW, H_SEED_HIGH, H_NUMBER, H_CASES,
 H_CASES_AT, H_ENDS_AT, H_RATIO_AT, H_DIRECTORY, H_ABSENT, H_POOLS_AT, H_QUEUES_AT, H_QUEUE_CAP, H_TOKENS_AT, H_TOKENS_CAP,
 H_VISITS_AT, H_VISIT_WORDS, H_EVENTS_AT, H_EVENTS_CAP, H_ROWS_AT, H_ROWS_CAP, H_NEXT_CASE, H_FREE, H_USED, H_TICKET, H_TOUCHED,
 H_EVENTS, H_ROWS, H_DONE_EVENTS, H_SEEN_AT) = range(48)  # fmt: skip
FIELDS_AT = 64
"""The table of steps comes first after the header."""

FIELDS, RULE, MARK_RULE, CHANCE, TABLE, DISTRIBUTION, END_WIDTH, ITEM, ROW = 12, 5, 3, 7, 4, 4, 2, 3, 3
"""Numbers a step, rule, …; an end: second << 16 | result, marks; an item of a queue: priority and time, case and token, ticket and slot."""

I_ENTITY, I_KIND, I_ARRIVAL, I_ORDER, I_WIDTH = range(5)
"""Of each case: entity, type << 32 | cluster, arrival; and who arrives as the n-th."""
(T_CASE, T_STEP, T_MARKS, T_TIMER, T_DUE, T_TICKET, T_ENTERED, T_VISIT, T_HOLDING, T_ATTEMPT, T_BACK_OFF, T_HOPELESS, T_PARENT,
 T_ROOT, T_NUMBER, T_CHILD, T_SIBLING, T_PENDING, T_HELD_AT, T_TYPE, T_ENTITY, T_LAST_ROW, T_WIDTH) = range(23)  # fmt: skip
(Q_SIZE, Q_IN_USE, Q_WAITING, Q_WAITING_BEFORE, Q_CHANGED_AT, Q_FREE_FROM, Q_WAKE_AT, Q_SEGMENT, Q_TOUCHED, Q_WIDTH) = range(10)

RUNNING, DONE, TOKENS_FULL, QUEUES_FULL, EVENTS_FULL, ROWS_FULL = range(6)
"""Statuses. All but RUNNING (paused at `until`) and DONE mean: the results are void, try again with more space."""

# -- the program's columns and codes as plain integers

C_OP, C_NEXT, C_TOKEN, C_DISTRIBUTION, C_TABLE, C_CALENDAR, C_POOL, C_A, C_B, C_C, C_D, C_E = (int(f) for f in Field)
(DELAY, SERVE, GATE, BRANCH, MARK, ATTEMPTS, TIMER, FORK, JOIN, BATCH, GOTO, END) = (int(op) for op in Op)
CONSTANT, EXPONENTIAL, LOGNORMAL, WEIBULL, UNIFORM, TRIANGULAR, TABULATED = (int(kind) for kind in Kind)
FINISHED, TIMED_OUT, FAILED, BACK_OFF, UNFINISHED = (int(result) for result in Result)
ACTION_CLEAR, ACTION_ASSIGN = int(Action.CLEAR), int(Action.ASSIGN)
CLUSTER_ENTITY = int(Entity.CLUSTER) << 30
NOBODY = -1
NO_BACK_OFF = -1
RESUME, TIME_OUT, WAKE = 0, 1, 2
EVENT_BITS = 32
SLOT_BITS, SLOT_MASK = 24, 2**24 - 1
MASK16, MASK_LOW = 2**16 - 1, 2**32 - 1
VISIT_SHIFT = 20
NO_CHANCE = -700.0

U = np.uint64
MASK32, S12, S32 = U(0xFFFFFFFF), U(12), U(32)
M0, M1, W0, W1 = U(0xD2511F53), U(0xCD9E8D57), U(0x9E3779B9), U(0xBB67AE85)


# -- addressed uniforms (docs/workflow.md section 4)


@jit
def _philox(M, entity, purpose, detail):
    """The two uniforms at an address of this future."""
    c0, c1, c2, c3 = U(M[H_NUMBER]), U(entity), U(purpose), U(detail)
    k0, k1 = U(M[H_SEED_LOW]), U(M[H_SEED_HIGH])
    for _ in range(10):
        p0, p1 = M0 * c0, M1 * c2
        c0, c1, c2, c3 = (p1 >> S32) ^ c1 ^ k0, p1 & MASK32, (p0 >> S32) ^ c3 ^ k1, p0 & MASK32
        k0, k1 = (k0 + W0) & MASK32, (k1 + W1) & MASK32
    first, second = ((c0 << S32) + c1) >> S12, ((c2 << S32) + c3) >> S12
    return (float(np.int64(first)) + 0.5) * 2.0**-52, (float(np.int64(second)) + 0.5) * 2.0**-52


@jit
def _uniforms(M, t, i, visit, slot):
    """The two uniforms of a token's case at a step, visit and slot."""
    return _philox(M, M[t + T_ENTITY], M[M[H_PURPOSE] + i], (visit << VISIT_SHIFT) + slot)


# -- quantile functions (section 7)


@jit
def _normal_quantile(u):
    """Wichura, Algorithm AS 241: the percentage points of the normal distribution, Applied Statistics 37 (1988)."""
    q = u - 0.5
    if math.fabs(q) <= 0.425:
        r = 0.180625 - q * q
        num = (((((((2509.0809287301226727 * r + 33430.575583588128105) * r + 67265.770927008700853) * r
                  + 45921.953931549871457) * r + 13731.693765509461125) * r + 1971.5909503065514427) * r
                + 133.14166789178437745) * r + 3.387132872796366608) * q  # fmt: skip
        den = (((((((5226.495278852854561 * r + 28729.085735721942674) * r + 39307.89580009271061) * r
                  + 21213.794301586595867) * r + 5394.1960214247511077) * r + 687.1870074920579083) * r
                + 42.313330701600911252) * r + 1.0)  # fmt: skip
        return num / den
    r = u if q <= 0.0 else 1.0 - u
    r = math.sqrt(-math.log(r))
    if r <= 5.0:
        r = r - 1.6
        num = (((((((7.7454501427834140764e-4 * r + 0.0227238449892691845833) * r + 0.24178072517745061177) * r
                  + 1.27045825245236838258) * r + 3.64784832476320460504) * r + 5.7694972214606914055) * r
                + 4.6303378461565452959) * r + 1.42343711074968357734)  # fmt: skip
        den = (((((((1.05075007164441684324e-9 * r + 5.475938084995344946e-4) * r + 0.0151986665636164571966) * r
                  + 0.14810397642748007459) * r + 0.68976733498510000455) * r + 1.6763848301838038494) * r
                + 2.05319162663775882187) * r + 1.0)  # fmt: skip
    else:
        r = r - 5.0
        num = (((((((2.01033439929228813265e-7 * r + 2.71155556874348757815e-5) * r + 0.0012426609473880784386) * r
                  + 0.026532189526576123093) * r + 0.29656057182850489123) * r + 1.7848265399172913358) * r
                + 5.4637849111641143699) * r + 6.6579046435011037772)  # fmt: skip
        den = (((((((2.04426310338993978564e-15 * r + 1.4215117583164458887e-7) * r + 1.8463183175100546818e-5) * r
                  + 7.868691311456132591e-4) * r + 0.0148753612908506148525) * r + 0.13692988092273580531) * r
                + 0.59983220655588793769) * r + 1.0)  # fmt: skip
    x = num / den
    return -x if q < 0.0 else x


@jit
def _tabulated(D, first, nodes, u):
    """Linear between the nodes of a table: `nodes` probabilities, then as many values."""
    low, high = 0, nodes
    while low < high:
        middle = (low + high) >> 1
        if D[first + middle] <= u:
            low = middle + 1
        else:
            high = middle
    i, x = first + low - 1, first + nodes + low - 1
    if low == 0:
        return D[first + nodes]
    if low >= nodes:
        return D[first + 2 * nodes - 1]
    return D[x] + (u - D[i]) / (D[i + 1] - D[i]) * (D[x + 1] - D[x])


@jit
def _triangular(low, mode, high, u):
    width = high - low
    if u * width < mode - low:
        return low + math.sqrt(u * width * (mode - low))
    return high - math.sqrt((1.0 - u) * width * (high - mode))


@jit
def _quantile(M, D, number, u):
    """Value of a distribution at probability u, with its kink."""
    d = M[H_DISTRIBUTIONS] + DISTRIBUTION * number
    kind, p = M[d], M[d + 1]
    if kind == CONSTANT:
        x = D[p]
    elif kind == LOGNORMAL:
        x = math.exp(D[p] + D[p + 1] * _normal_quantile(u))
    elif kind == EXPONENTIAL:
        x = -D[p] * math.log(1.0 - u)
    elif kind == TABULATED:
        x = _tabulated(D, p, M[d + 2], u)
    elif kind == UNIFORM:
        x = D[p] + u * (D[p + 1] - D[p])
    elif kind == WEIBULL:
        x = D[p + 1] * math.pow(-math.log(1.0 - u), 1.0 / D[p])
    else:
        x = _triangular(D[p], D[p + 1], D[p + 2], u)
    kink = M[d + 3]
    if kink >= 0 and x > D[kink]:
        x = D[kink] + (x - D[kink]) * D[kink + 1]
    return x


@jit
def _rounded(seconds):
    return np.int64(math.floor(seconds + 0.5)) if seconds < float(NEVER) else NEVER


@jit
def _drawn(M, D, t, i, visit, slot):
    """The step's distribution for this visit; a constant needs no random number."""
    number = M[FIELDS_AT + FIELDS * i + C_DISTRIBUTION]
    u = 0.5
    if M[M[H_DISTRIBUTIONS] + DISTRIBUTION * number] != CONSTANT:
        u = _uniforms(M, t, i, visit, slot)[0]
    return _quantile(M, D, number, u)


@jit
def _at(M, D, number, kind, week):
    """A table's value by case type and week; the last column holds for all weeks after it."""
    table = M[H_TABLES] + TABLE * number
    last = M[table + 3] - 1
    return D[M[table] + kind * M[table + 1] + (week if week < last else last) * M[table + 2]]


@jit
def _week(second):
    return 0 if second < 0 else 1 + second // WEEK


# -- calendars: windows by number; starts, ends, open seconds before each


@jit
def _latest(M, calendar, second):
    """Number of the latest window that starts at or before `second`; -1 if there is none."""
    at = M[M[H_DIRECTORY] + 2 * calendar]
    low, high = 0, M[M[H_DIRECTORY] + 2 * calendar + 1]
    while low < high:
        middle = (low + high) >> 1
        if M[at + middle] <= second:
            low = middle + 1
        else:
            high = middle
    return low - 1


@jit
def _is_open(M, calendar, second):
    i = _latest(M, calendar, second)
    return i >= 0 and second < M[M[M[H_DIRECTORY] + 2 * calendar] + M[M[H_DIRECTORY] + 2 * calendar + 1] + i]


@jit
def _next_open(M, calendar, second):
    at, windows = M[M[H_DIRECTORY] + 2 * calendar], M[M[H_DIRECTORY] + 2 * calendar + 1]
    i = _latest(M, calendar, second)
    if i >= 0 and second < M[at + windows + i]:
        return second
    return M[at + i + 1] if i + 1 < windows else NEVER


@jit
def open_until(M, calendar, second):
    """Open seconds of a calendar up to `second`."""
    at, windows = M[M[H_DIRECTORY] + 2 * calendar], M[M[H_DIRECTORY] + 2 * calendar + 1]
    i = _latest(M, calendar, second)
    if i < 0:
        return 0
    return M[at + 2 * windows + i] + min(second, M[at + windows + i]) - M[at + i]


@jit
def _add(M, calendar, second, open_seconds):
    """When `open_seconds` of open time have passed since `second`."""
    if open_seconds == 0:
        return second
    at, windows = M[M[H_DIRECTORY] + 2 * calendar], M[M[H_DIRECTORY] + 2 * calendar + 1]
    i = _latest(M, calendar, second)
    target, before = open_seconds, at + 2 * windows
    if i >= 0:
        target += M[before + i] + min(second, M[at + windows + i]) - M[at + i]
        if M[before + i] < target <= M[before + i + 1]:  # most work ends in the window in which it starts
            return M[at + i] + target - M[before + i]
    if target > M[before + windows]:
        return NEVER
    low, high = max(i, 0), windows
    while low < high:  # the first window whose cumulative end reaches the target
        middle = (low + high) >> 1
        if M[before + middle + 1] < target:
            low = middle + 1
        else:
            high = middle
    return M[at + low] + target - M[before + low]


# -- events: one integer each (time above, kind and number below), in a binary heap


@jit
def _schedule(M, second, kind, number):
    """Adds an event; one at the stop or later can never happen."""
    if second >= M[H_STOP]:
        return
    i, at = M[H_EVENTS], M[H_EVENTS_AT]
    if i >= M[H_EVENTS_CAP]:
        M[H_STATUS] = EVENTS_FULL
        return
    key = ((second - M[H_BEGIN]) << EVENT_BITS) | (kind << 30) | number
    M[H_EVENTS] = i + 1
    while i > 0:
        parent = (i - 1) >> 1
        if M[at + parent] <= key:
            break
        M[at + i] = M[at + parent]
        i = parent
    M[at + i] = key


@jit
def _next_event(M):
    """Takes the earliest event off the heap."""
    at, size = M[H_EVENTS_AT], M[H_EVENTS] - 1
    top, key = M[at], M[at + size]
    M[H_EVENTS] = size
    i, child = 0, 1
    while child < size:
        child += M[at + child + 1] < M[at + child]  # no jump; behind the last child still lies `key`, which ends it
        if key <= M[at + child]:
            break
        M[at + i] = M[at + child]
        i, child = child, 2 * child + 1
    M[at + i] = key
    return top


# -- queues of pools and batches: heaps ordered by (priority, waiting since), (case, token)


@jit
def _enqueue(M, queue, rank, who, ticket):
    q = M[H_POOLS_AT] + Q_WIDTH * queue
    i, at = M[q + Q_SIZE], M[H_QUEUES_AT] + ITEM * M[H_QUEUE_CAP] * queue
    if i >= M[H_QUEUE_CAP]:
        M[H_STATUS] = QUEUES_FULL
        return
    M[q + Q_SIZE] = i + 1
    while i > 0:
        parent = (i - 1) >> 1
        above = at + ITEM * parent
        if M[above] < rank or (M[above] == rank and M[above + 1] <= who):
            break
        _move(M, above, at + ITEM * i)
        i = parent
    here = at + ITEM * i
    M[here], M[here + 1], M[here + 2] = rank, who, ticket


@jit
def _move(M, source, target):
    M[target], M[target + 1], M[target + 2] = M[source], M[source + 1], M[source + 2]


@jit
def _dequeue(M, queue):
    """Removes the first item."""
    q = M[H_POOLS_AT] + Q_WIDTH * queue
    at, size = M[H_QUEUES_AT] + ITEM * M[H_QUEUE_CAP] * queue, M[q + Q_SIZE] - 1
    M[q + Q_SIZE] = size
    last = at + ITEM * size
    rank, who, ticket = M[last], M[last + 1], M[last + 2]
    i, child = 0, 1
    while child < size:
        c = at + ITEM * child
        if child + 1 < size and (M[c + ITEM] < M[c] or (M[c + ITEM] == M[c] and M[c + ITEM + 1] < M[c + 1])):
            child, c = child + 1, c + ITEM
        if rank < M[c] or (rank == M[c] and who <= M[c + 1]):
            break
        _move(M, c, at + ITEM * i)
        i, child = child, 2 * child + 1
    here = at + ITEM * i
    M[here], M[here + 1], M[here + 2] = rank, who, ticket


# -- tokens and ledger rows


@jit
def _new_token(M, step, marks, parent, case):
    """Index in W of a fresh token; the case's own (parent NOBODY) starts with no visits. -1 if there is no space."""
    slot = M[H_FREE]
    if slot >= 0:
        M[H_FREE] = M[M[H_TOKENS_AT] + T_WIDTH * slot + T_STEP]
    else:
        slot = M[H_USED]
        if slot >= M[H_TOKENS_CAP]:
            M[H_STATUS] = TOKENS_FULL
            return -1
        M[H_USED] = slot + 1
    t = M[H_TOKENS_AT] + T_WIDTH * slot
    M[t + T_CASE], M[t + T_STEP], M[t + T_MARKS], M[t + T_PARENT] = case, step, marks, parent
    M[t + T_TIMER] = M[t + T_TICKET] = M[t + T_HOLDING] = M[t + T_CHILD] = M[t + T_HELD_AT] = NOBODY
    M[t + T_BACK_OFF], M[t + T_DUE] = NO_BACK_OFF, NEVER
    M[t + T_ATTEMPT] = M[t + T_HOPELESS] = M[t + T_ENTERED] = M[t + T_VISIT] = M[t + T_LAST_ROW] = 0
    if parent == NOBODY:
        M[t + T_ROOT], M[t + T_NUMBER], M[t + T_PENDING] = slot, 0, 0
        at = M[H_VISITS_AT] + slot * M[H_VISIT_WORDS]
        for i in range(at, at + M[H_VISIT_WORDS]):
            M[i] = 0
    return t


@jit
def _slot_of(M, t):
    return (t - M[H_TOKENS_AT]) // T_WIDTH


@jit
def _free_token(M, t):
    M[t + T_CASE], M[t + T_STEP] = NOBODY, M[H_FREE]
    M[H_FREE] = _slot_of(M, t)


@jit
def _visits(M, t, i):
    """How often the case has entered a step."""
    return (M[M[H_VISITS_AT] + M[t + T_ROOT] * M[H_VISIT_WORDS] + (i >> 2)] >> ((i & 3) << 4)) & MASK16


@jit
def _count(M, t, i):
    """Number of this visit of the case to a step (0 = the first); counts it."""
    at, shift = M[H_VISITS_AT] + M[t + T_ROOT] * M[H_VISIT_WORDS] + (i >> 2), (i & 3) << 4
    visit = (M[at] >> shift) & MASK16
    M[at] += np.int64(1) << shift
    return visit


@jit
def _row(M, t, step, visit, result, entered, started, ended):
    """Writes a ledger row; what lies at the stop or later is open."""
    n = M[H_ROWS]
    if n >= M[H_ROWS_CAP]:
        M[H_STATUS] = ROWS_FULL
        return
    M[H_ROWS] = n + 1
    r, stop = M[H_ROWS_AT] + n * ROW, M[H_STOP]
    if started >= stop:
        started = OPEN
    if ended >= stop:
        ended, result = OPEN, (result & WITHOUT_POOL) | UNFINISHED
    M[r] = (M[t + T_CASE] << 32) | (step << 20) | (M[t + T_NUMBER] << 16) | (visit << 4) | result
    M[r + 1] = (entered << 32) | (started & MASK_LOW)
    M[r + 2] = ended << 32
    if M[t + T_NUMBER] > 0:  # rows of a branch are chained, so that those off the longest path can be told
        M[r + 2] |= M[t + T_LAST_ROW] << 1
        M[t + T_LAST_ROW] = r


# -- pools


@jit
def _units(M, pool, now):
    """Capacity of a pool at `now`, which never goes back; moves the pool to its present segment."""
    calendar = M[H_CALENDARS] + M[H_POOLS] + pool
    at, segments = M[M[H_DIRECTORY] + 2 * calendar], M[M[H_DIRECTORY] + 2 * calendar + 1]
    q = M[H_POOLS_AT] + Q_WIDTH * pool
    i = M[q + Q_SEGMENT]
    while i < segments and M[at + segments + i] <= now:
        i += 1
    M[q + Q_SEGMENT] = i
    if i == segments or now < M[at + i]:
        return 0
    return M[at + 2 * segments + i]


@jit
def _next_change(M, pool, now):
    """The next start of a segment after `now`."""
    calendar = M[H_CALENDARS] + M[H_POOLS] + pool
    at, segments = M[M[H_DIRECTORY] + 2 * calendar], M[M[H_DIRECTORY] + 2 * calendar + 1]
    i = M[M[H_POOLS_AT] + Q_WIDTH * pool + Q_SEGMENT]
    for j in range(i, min(i + 2, segments)):
        if M[at + j] > now:
            return M[at + j]
    return NEVER


@jit
def _change_waiting(M, pool, now, by):
    q = M[H_POOLS_AT] + Q_WIDTH * pool
    if M[q + Q_CHANGED_AT] < now:
        M[q + Q_CHANGED_AT], M[q + Q_WAITING_BEFORE] = now, M[q + Q_WAITING]
    M[q + Q_WAITING] += by


@jit
def _load(M, pool, now):
    """Tokens waiting at the end of the previous instant per unit rostered before `now`."""
    q = M[H_POOLS_AT] + Q_WIDTH * pool
    waiting = M[q + Q_WAITING_BEFORE] if M[q + Q_CHANGED_AT] == now else M[q + Q_WAITING]
    _units(M, pool, now)
    calendar = M[H_CALENDARS] + M[H_POOLS] + pool
    at, segments = M[M[H_DIRECTORY] + 2 * calendar], M[M[H_DIRECTORY] + 2 * calendar + 1]
    if segments == 0:
        return float(waiting)
    i = M[q + Q_SEGMENT]
    before = i if i < segments and M[at + i] < now else i - 1
    return waiting / M[at + 2 * segments + max(before, 0)]


@jit
def _touch(M, queue):
    M[M[H_POOLS_AT] + Q_WIDTH * queue + Q_TOUCHED] = 1
    M[H_TOUCHED] = 1


@jit
def _wait_for_unit(M, D, t, pool, priority, now):
    """Puts a token into a pool's queue; an armed timer may take it out again."""
    ticket = ((M[H_TICKET] + 1) << SLOT_BITS) | _slot_of(M, t)
    M[H_TICKET] += 1
    M[t + T_TICKET] = ticket
    rank = (priority << EVENT_BITS) + now - M[H_BEGIN]
    _enqueue(M, pool, rank, (M[t + T_CASE] << 4) | M[t + T_NUMBER], ticket)
    _change_waiting(M, pool, now, 1)
    q = M[H_POOLS_AT] + Q_WIDTH * pool
    if not (M[q + Q_WAKE_AT] > now and _units(M, pool, now) == 0):  # else no unit can be free before it is woken
        _touch(M, pool)
    if M[t + T_TIMER] >= 0:
        _schedule(M, max(now, M[t + T_DUE]), TIME_OUT, _slot_of(M, t))


@jit
def _start_work(M, D, pool, now):
    """Phase B for one pool: gives free units to those who wait, in order."""
    q = M[H_POOLS_AT] + Q_WIDTH * pool
    first = M[H_QUEUES_AT] + ITEM * M[H_QUEUE_CAP] * pool
    units = _units(M, pool, now)
    while M[q + Q_SIZE] > 0:
        ticket = M[first + 2]
        t = M[H_TOKENS_AT] + T_WIDTH * (ticket & SLOT_MASK)
        if M[t + T_TICKET] == ticket:
            if M[q + Q_IN_USE] >= units or now < M[q + Q_FREE_FROM]:
                break
            _start(M, D, t, pool, now)
        _dequeue(M, pool)
    if M[q + Q_SIZE] > 0:
        limited = M[q + Q_IN_USE] < units and M[q + Q_FREE_FROM] > now
        at = min(_next_change(M, pool, now), M[q + Q_FREE_FROM] if limited else NEVER)
        if not (now < M[q + Q_WAKE_AT] <= at) and at < M[H_STOP]:
            M[q + Q_WAKE_AT] = at
            _schedule(M, at, WAKE, pool)


@jit
def _start(M, D, t, pool, now):
    """Gives a unit to a token: it works (or calls an endpoint) until its end."""
    q, i, case = M[H_POOLS_AT] + Q_WIDTH * pool, M[t + T_STEP], M[t + T_TYPE]
    f = FIELDS_AT + FIELDS * i
    M[t + T_TICKET], M[t + T_HOLDING] = NOBODY, pool
    M[q + Q_IN_USE] += 1
    _change_waiting(M, pool, now, -1)
    gap = M[M[H_GAPS] + pool]
    M[q + Q_FREE_FROM] = now + (_rounded(D[gap]) if gap >= 0 else 0)
    result, visit = FINISHED, M[t + T_VISIT]
    if M[f + C_OP] == SERVE:
        factor = _at(M, D, M[f + C_TABLE], case, _week(now))
        seconds = _rounded(_drawn(M, D, t, i, visit, 0) * factor)
        end = _add(M, M[H_CALENDARS] + pool, now, seconds)
        M[t + T_STEP] = M[f + C_NEXT]
    else:
        seconds, ok = _attempt(M, D, t, i, visit, M[t + T_ATTEMPT], now)
        end, result = now + seconds, FINISHED if ok else FAILED
        _after_attempt(M, D, t, i, ok)
    _row(M, t, i, visit, result, M[t + T_ENTERED], now, end)
    _schedule(M, end, RESUME, _slot_of(M, t))


# -- calls to endpoints


@jit
def _attempt(M, D, t, i, visit, k, start):
    """Length and success of attempt k of a visit that starts at `start`."""
    f, kind, week = FIELDS_AT + FIELDS * i, M[t + T_TYPE], _week(start)
    timeout = _rounded(D[M[f + C_B]])
    if k == 0:
        hopeless = _at(M, D, M[f + C_E], kind, week)
        M[t + T_HOPELESS] = 1 if hopeless > 0.0 and _uniforms(M, t, i, visit, 0)[0] < hopeless else 0
    if _is_open(M, M[H_CALENDARS] + 2 * M[H_POOLS] + M[f + C_A], start):
        return timeout, False
    latency_u, transient_u = _uniforms(M, t, i, visit, 1 + k)
    latency = _rounded(_quantile(M, D, M[f + C_DISTRIBUTION], latency_u))
    if latency > timeout:
        return timeout, False
    return latency, M[t + T_HOPELESS] == 0 and transient_u >= _at(M, D, M[f + C_TABLE], kind, week)


@jit
def _back_off(M, D, i, k):
    slot = M[FIELDS_AT + FIELDS * i + C_B]
    return _rounded(D[slot + 1] * math.pow(D[slot + 2], float(k)))


@jit
def _after_attempt(M, D, t, i, ok):
    """What follows an attempt at a limited endpoint: a back-off and the next one, or the next step with its mark."""
    f, k = FIELDS_AT + FIELDS * i, M[t + T_ATTEMPT]
    if not ok and k + 1 < M[f + C_D]:
        M[t + T_ATTEMPT], M[t + T_BACK_OFF] = k + 1, _back_off(M, D, i, k)
        return
    M[t + T_ATTEMPT], M[t + T_STEP] = 0, M[f + C_NEXT]
    _set_mark(M, t, M[f + C_C], not ok)


@jit
def _set_mark(M, t, bit, on):
    one = np.int64(1) << bit
    M[t + T_MARKS] = M[t + T_MARKS] | one if on else M[t + T_MARKS] & ~one


@jit
def _call(M, D, t, i, now):
    """All attempts of one visit to an endpoint without limits. Returns whether the token goes on at once."""
    f, visit, time, ok = FIELDS_AT + FIELDS * i, M[t + T_VISIT], now, False
    for k in range(M[f + C_D]):
        seconds, ok = _attempt(M, D, t, i, visit, k, time)
        time += seconds
        if ok:
            break
        if k + 1 < M[f + C_D]:
            time += _back_off(M, D, i, k)
    _set_mark(M, t, M[f + C_C], not ok)
    _row(M, t, i, visit, FINISHED if ok else FAILED, now, now, time)
    M[t + T_STEP] = M[f + C_NEXT]
    if time > now:
        _schedule(M, time, RESUME, _slot_of(M, t))
    return time == now


# -- steps


@jit
def _leave(M, t, i, visit, now, end):
    """Ends a wait that is known at its start; an armed timer may cut it. Returns whether the token goes on at once."""
    result, following, timer = FINISHED, M[FIELDS_AT + FIELDS * i + C_NEXT], M[t + T_TIMER]
    if timer >= 0:
        if M[M[H_COVERS] + timer * M[H_STEPS] + i] == 0:
            M[t + T_TIMER] = NOBODY
        elif M[t + T_DUE] <= end:
            end, following, result = max(now, M[t + T_DUE]), M[FIELDS_AT + FIELDS * timer + C_B], TIMED_OUT
            M[t + T_TIMER] = NOBODY
    _row(M, t, i, visit, result, now, now, end)
    M[t + T_STEP] = following
    if end > now:
        _schedule(M, end, RESUME, _slot_of(M, t))
    return end == now


@jit
def _through_gate(M, D, t, i, visit, now):
    """The first opening at or after now + lead outside the absences of the person drawn."""
    f, people_from = FIELDS_AT + FIELDS * i, M[M[H_ABSENT] + i]
    calendar = M[f + C_CALENDAR]
    opening = _next_open(M, calendar, now + _rounded(D[M[f + C_A]]))
    if people_from < 0:
        return opening
    away = people_from + np.int64(_uniforms(M, t, i, visit, 0)[0] * M[f + C_B])
    while _is_open(M, away, opening):
        end = M[M[M[H_DIRECTORY] + 2 * away] + M[M[H_DIRECTORY] + 2 * away + 1] + _latest(M, away, opening)]
        opening = _next_open(M, calendar, end)
    return opening


@jit
def _holds(M, at, marks):
    return marks & M[at] == M[at] and marks & M[at + 1] == 0


@jit
def _branch(M, D, t, i, week):
    """The step that a branch chooses."""
    f = FIELDS_AT + FIELDS * i
    r = M[H_RULES] + RULE * M[f + C_A]
    while not _holds(M, r, M[t + T_MARKS]):
        r += RULE
    target, targets, visit = M[H_TARGETS] + M[r + 2], M[r + 3], _count(M, t, i)
    if targets == 1:
        return M[target]
    if M[f + C_C] == 1:
        week = _week(M[M[H_CASES_AT] + I_WIDTH * M[t + T_CASE] + I_ARRIVAL])
    u, total = _uniforms(M, t, i, visit, 0)[0], 0.0
    for k in range(targets - 1):
        total += _at(M, D, M[r + 4] + k, M[t + T_TYPE], week)
        if u < total:
            return M[target + k]
    return M[target + targets - 1]


@jit
def _mark(M, D, t, i, now, week):
    """Sets, clears or assigns the mark by the first rule whose condition holds."""
    f = FIELDS_AT + FIELDS * i
    r, visit = M[H_MARK_RULES] + MARK_RULE * M[f + C_C], _count(M, t, i)
    for _ in range(M[f + C_D]):
        if _holds(M, r, M[t + T_MARKS]):
            if _comes_true(M, D, t, i, visit, M[H_CHANCES] + CHANCE * M[r + 2], now, week):
                _set_mark(M, t, M[f + C_A], M[f + C_B] != ACTION_CLEAR)
            elif M[f + C_B] == ACTION_ASSIGN:
                _set_mark(M, t, M[f + C_A], False)
            return
        r += MARK_RULE


@jit
def _comes_true(M, D, t, i, visit, chance, now, week):
    """Whether a chance comes true (section 5.2)."""
    p = _at(M, D, M[chance], M[t + T_TYPE], week)
    volume_slope, pool, calendar, share = D[M[chance + 1]], M[chance + 2], M[chance + 4], D[M[chance + 6]]
    if 0.0 < p < 1.0 and (volume_slope != 0.0 or pool >= 0):
        logit = math.log(p / (1.0 - p)) + volume_slope * (D[M[H_RATIO_AT] + M[t + T_CASE]] - 1.0)
        logit -= D[M[chance + 3]] * _load(M, pool, now) if pool >= 0 else 0.0
        p = 1.0 / (1.0 + math.exp(-logit)) if logit > NO_CHANCE else 0.0
    if calendar >= 0:
        latest = _latest(M, calendar, now)
        age = now - M[M[M[H_DIRECTORY] + 2 * calendar] + latest] if latest >= 0 else 0
        p = 1.0 - (1.0 - p) * math.exp(-D[M[chance + 5]] * age / HOUR)
    if p <= 0.0 or p >= 1.0:  # no random number can change it
        return p >= 1.0
    first, second = _uniforms(M, t, i, visit, 0)
    if share > 0.0 and second < share:
        cluster = M[M[H_CASES_AT] + I_WIDTH * M[t + T_CASE] + I_KIND] & MASK_LOW
        return _philox(M, CLUSTER_ENTITY + cluster, M[M[H_PURPOSE] + i], 0)[0] < p
    return first < p


@jit
def _arm_timer(M, D, t, i, now):
    f = FIELDS_AT + FIELDS * i
    limit = _rounded(_drawn(M, D, t, i, _count(M, t, i), 0))
    M[t + T_TIMER], M[t + T_STEP] = i, M[f + C_NEXT]
    M[t + T_DUE] = now + limit if M[f + C_CALENDAR] < 0 else _add(M, M[f + C_CALENDAR], now, limit)


@jit
def _fork(M, t, i, now):
    """Starts one token per branch; the parent waits at the join."""
    f = FIELDS_AT + FIELDS * i
    M[t + T_TIMER], M[t + T_STEP] = NOBODY, M[FIELDS_AT + FIELDS * M[f + C_C] + C_NEXT]
    M[t + T_PENDING], M[t + T_CHILD] = M[f + C_B], NOBODY
    for k in range(M[f + C_B]):
        step = M[M[H_TARGETS] + M[f + C_A] + k]
        child = _new_token(M, step, M[t + T_MARKS], t, M[t + T_CASE])
        if child < 0:
            return
        M[child + T_ROOT], M[child + T_NUMBER] = M[t + T_ROOT], M[FIELDS_AT + FIELDS * step + C_TOKEN]
        M[child + T_TYPE], M[child + T_ENTITY] = M[t + T_TYPE], M[t + T_ENTITY]
        M[child + T_SIBLING] = M[t + T_CHILD]
        M[t + T_CHILD] = child
        _schedule(M, now, RESUME, _slot_of(M, child))


@jit
def _join(M, t, i, now):
    """The token waits for its siblings; the last one lets the parent go on."""
    parent = M[t + T_PARENT]
    M[t + T_ENTERED], M[t + T_HELD_AT] = now, i
    M[parent + T_PENDING] -= 1
    if M[parent + T_PENDING] > 0:
        return
    visit, at_fork, set_by_any, cleared = _count(M, parent, i), M[parent + T_MARKS], 0, 0
    child = M[parent + T_CHILD]
    while child != NOBODY:
        _row(M, child, i, visit, FINISHED, M[child + T_ENTERED], M[child + T_ENTERED], now)
        set_by_any |= M[child + T_MARKS] & ~at_fork
        cleared |= at_fork & ~M[child + T_MARKS]
        child = M[child + T_SIBLING]
    _end_branches(M, parent)
    M[parent + T_MARKS], M[parent + T_CHILD] = (at_fork & ~cleared) | set_by_any, NOBODY
    _schedule(M, now, RESUME, _slot_of(M, parent))


@jit
def _end_branches(M, parent):
    """Frees the branches of a fork; only rows of the last to arrive (still under way is last; ties: lowest token) lie on the path."""
    winner, latest = NOBODY, NOBODY
    child = M[parent + T_CHILD]
    while child != NOBODY:
        arrived = M[child + T_ENTERED] - M[H_BEGIN] if M[child + T_HELD_AT] >= 0 and _is_join(M, child) else NEVER
        if arrived > latest or (arrived == latest and M[child + T_NUMBER] < M[winner + T_NUMBER]):
            winner, latest = child, arrived
        child = M[child + T_SIBLING]
    child = M[parent + T_CHILD]
    while child != NOBODY:
        row = M[child + T_LAST_ROW] if child != winner else 0
        while row > 0:
            M[row + 2] |= 1
            row = (M[row + 2] & MASK_LOW) >> 1
        following = M[child + T_SIBLING]
        _free_token(M, child)
        child = following


@jit
def _is_join(M, t):
    return M[FIELDS_AT + FIELDS * M[t + T_HELD_AT] + C_OP] == JOIN


@jit
def _gather(M, D, t, i, now):
    """The token waits in a batch until enough others do, or the oldest has waited long enough."""
    f, queue = FIELDS_AT + FIELDS * i, M[M[H_QUEUE_OF] + i]
    M[t + T_VISIT], M[t + T_ENTERED], M[t + T_TIMER] = _count(M, t, i), now, NOBODY
    M[t + T_STEP], M[t + T_HELD_AT] = M[f + C_NEXT], i
    _enqueue(M, queue, now - M[H_BEGIN], (M[t + T_CASE] << 4) | M[t + T_NUMBER], _slot_of(M, t))
    _touch(M, queue)
    longest = _rounded(D[M[f + C_A] + 1])
    _schedule(M, now + longest, WAKE, queue)


@jit
def _release_batch(M, D, i, now):
    """Phase B for one batch step."""
    queue, slot = M[M[H_QUEUE_OF] + i], M[FIELDS_AT + FIELDS * i + C_A]
    q, first = M[H_POOLS_AT] + Q_WIDTH * queue, M[H_QUEUES_AT] + ITEM * M[H_QUEUE_CAP] * queue
    size, longest = _rounded(D[slot]), _rounded(D[slot + 1])
    while M[q + Q_SIZE] > 0 and (M[q + Q_SIZE] >= size or M[first] + M[H_BEGIN] + longest <= now):
        for _ in range(min(size, M[q + Q_SIZE])):
            t = M[H_TOKENS_AT] + T_WIDTH * M[first + 2]
            _dequeue(M, queue)
            M[t + T_HELD_AT] = NOBODY
            _row(M, t, i, M[t + T_VISIT], FINISHED, M[t + T_ENTERED], M[t + T_ENTERED], now)
            _schedule(M, now, RESUME, _slot_of(M, t))


@jit
def _serve(M, D, t, i, now):
    """A serve step, or a visit to a limited endpoint: queues. Returns whether the token goes on at once (a back-off of 0)."""
    f = FIELDS_AT + FIELDS * i
    if M[f + C_OP] == ATTEMPTS and M[t + T_BACK_OFF] != NO_BACK_OFF:
        wait = M[t + T_BACK_OFF]
        M[t + T_BACK_OFF] = NO_BACK_OFF
        _row(M, t, i, M[t + T_VISIT], WITHOUT_POOL | BACK_OFF, now, now, now + wait)
        if wait > 0:
            _schedule(M, now + wait, RESUME, _slot_of(M, t))
        return wait == 0
    M[t + T_ENTERED] = now
    priority = M[M[H_PRIORITY] + i * M[H_TYPES] + M[t + T_TYPE]]
    _wait_for_unit(M, D, t, M[f + C_POOL], priority, now)
    return False


@jit
def _end(M, t, i, now):
    o = M[H_ENDS_AT] + END_WIDTH * M[t + T_CASE]
    M[o], M[o + 1] = (now << 16) | M[FIELDS_AT + FIELDS * i + C_A], M[t + T_MARKS]
    _free_token(M, t)


@jit
def _advance(M, D, t, now):
    """Takes a token from step to step until it has to wait or is gone."""
    week = _week(now)
    while True:
        i = M[t + T_STEP]
        M[M[H_SEEN_AT] + i] = 1
        f = FIELDS_AT + FIELDS * i
        op, at_once = M[f + C_OP], True
        if op == BRANCH:
            M[t + T_STEP] = _branch(M, D, t, i, week)
        elif op == MARK:
            M[t + T_STEP] = M[f + C_NEXT]
            _mark(M, D, t, i, now, week)
        elif op == SERVE:
            M[t + T_VISIT] = _count(M, t, i)
            if M[t + T_TIMER] >= 0 and M[M[H_COVERS] + M[t + T_TIMER] * M[H_STEPS] + i] == 0:
                M[t + T_TIMER] = NOBODY
            at_once = _serve(M, D, t, i, now)
        elif op == DELAY:
            visit = _count(M, t, i)
            seconds = _rounded(_drawn(M, D, t, i, visit, 0) * _at(M, D, M[f + C_TABLE], M[t + T_TYPE], week))
            end = now + seconds if M[f + C_CALENDAR] < 0 else _add(M, M[f + C_CALENDAR], now, seconds)
            at_once = _leave(M, t, i, visit, now, end)
        elif op == GATE:
            visit = _count(M, t, i)
            at_once = _leave(M, t, i, visit, now, _through_gate(M, D, t, i, visit, now))
        elif op == GOTO:
            M[t + T_STEP] = M[f + C_A] if _count(M, t, i) < M[f + C_B] else M[f + C_NEXT]
        elif op == TIMER:
            _arm_timer(M, D, t, i, now)
        elif op == ATTEMPTS:
            M[t + T_TIMER] = NOBODY
            if M[t + T_BACK_OFF] == NO_BACK_OFF:
                M[t + T_VISIT] = _count(M, t, i)
            at_once = _call(M, D, t, i, now) if M[f + C_POOL] < 0 else _serve(M, D, t, i, now)
        elif op == FORK:
            _fork(M, t, i, now)
            return
        elif op == JOIN:
            _join(M, t, i, now)
            return
        elif op == BATCH:
            _gather(M, D, t, i, now)
            return
        else:
            _end(M, t, i, now)
            return
        if not at_once or M[H_STATUS] != RUNNING:
            return


# -- the run


@jit
def _time_out(M, t, now):
    """Takes a token out of its queue if its deadline has come. Returns whether it did."""
    if M[t + T_CASE] < 0 or M[t + T_TICKET] < 0 or M[t + T_TIMER] < 0 or M[t + T_DUE] > now:
        return False
    i = M[t + T_STEP]
    M[t + T_TICKET] = NOBODY
    _change_waiting(M, M[FIELDS_AT + FIELDS * i + C_POOL], now, -1)
    _row(M, t, i, M[t + T_VISIT], TIMED_OUT, M[t + T_ENTERED], NEVER, now)
    M[t + T_STEP], M[t + T_TIMER] = M[FIELDS_AT + FIELDS * M[t + T_TIMER] + C_B], NOBODY
    return True


@jit
def _release_unit(M, t):
    pool = M[t + T_HOLDING]
    q = M[H_POOLS_AT] + Q_WIDTH * pool
    M[t + T_HOLDING] = NOBODY
    M[q + Q_IN_USE] -= 1
    if M[q + Q_SIZE] > 0:
        _touch(M, pool)


@jit
def _next_token(M, now, cases):
    """Phase A, one event of this instant: the token that goes on; 0 if the event moves none, -1 if nothing is due."""
    n = M[H_NEXT_CASE]
    if n < cases and M[M[H_CASES_AT] + I_WIDTH * M[M[H_CASES_AT] + I_WIDTH * n + I_ORDER] + I_ARRIVAL] == now:
        M[H_NEXT_CASE] = n + 1
        case = M[M[H_CASES_AT] + I_WIDTH * n + I_ORDER]
        t = _new_token(M, 0, 0, NOBODY, case)
        if t >= 0:
            M[t + T_TYPE], M[t + T_ENTITY] = (
                M[M[H_CASES_AT] + I_WIDTH * case + I_KIND] >> 32,
                M[M[H_CASES_AT] + I_WIDTH * case + I_ENTITY],
            )
        return max(t, 0)
    if M[H_EVENTS] == 0 or M[M[H_EVENTS_AT]] >> EVENT_BITS != now - M[H_BEGIN]:
        return -1
    event = _next_event(M)
    kind, number = (event >> 30) & 3, event & (2**30 - 1)
    if kind == WAKE:
        _touch(M, number)
        return 0
    t = M[H_TOKENS_AT] + T_WIDTH * number
    if kind == TIME_OUT:
        return t if _time_out(M, t, now) else 0
    if M[t + T_HOLDING] >= 0:
        _release_unit(M, t)
    return t


@jit
def _dispatch(M, D, now):
    """Phase B: touched pools in order, then touched batches."""
    M[H_TOUCHED] = 0
    for queue in range(M[H_POOLS]):
        if M[M[H_POOLS_AT] + Q_WIDTH * queue + Q_TOUCHED]:
            M[M[H_POOLS_AT] + Q_WIDTH * queue + Q_TOUCHED] = 0
            _start_work(M, D, queue, now)
    if M[H_QUEUES] == M[H_POOLS]:
        return
    for i in range(M[H_STEPS]):
        queue = M[M[H_QUEUE_OF] + i]
        if queue >= 0 and M[M[H_POOLS_AT] + Q_WIDTH * queue + Q_TOUCHED]:
            M[M[H_POOLS_AT] + Q_WIDTH * queue + Q_TOUCHED] = 0
            _release_batch(M, D, i, now)


@jit
def _write_unfinished(M):
    """Rows of visits that have not started, or cannot end, before the stop; marks of open cases."""
    for slot in range(M[H_USED]):
        t = M[H_TOKENS_AT] + T_WIDTH * slot
        if M[t + T_CASE] < 0:
            continue
        i = M[t + T_HELD_AT]
        if M[t + T_TICKET] >= 0:
            _row(M, t, M[t + T_STEP], M[t + T_VISIT], UNFINISHED, M[t + T_ENTERED], NEVER, NEVER)
        elif i >= 0:
            visit = M[t + T_VISIT]
            if _is_join(M, t):
                visit = _visits(M, t, i)
            _row(M, t, i, visit, UNFINISHED, M[t + T_ENTERED], M[t + T_ENTERED], NEVER)
    for slot in range(M[H_USED]):
        t = M[H_TOKENS_AT] + T_WIDTH * slot
        if M[t + T_CASE] >= 0 and M[t + T_PARENT] == NOBODY:
            if M[t + T_PENDING] > 0:
                _end_branches(M, t)
            M[M[H_ENDS_AT] + END_WIDTH * M[t + T_CASE] + 1] = M[t + T_MARKS]


@entry
def run(m, d, until):
    """Runs (or goes on) to `until`; at the program's stop it writes what is unfinished. Returns the status."""
    M, D = pointer(m), pointer(d)
    cases, begin, stop = M[H_CASES], M[H_BEGIN], M[H_STOP]
    while True:
        now = NEVER
        if M[H_EVENTS] > 0:
            now = begin + (M[M[H_EVENTS_AT]] >> EVENT_BITS)
        n = M[H_NEXT_CASE]
        if n < cases:
            now = min(now, M[M[H_CASES_AT] + I_WIDTH * M[M[H_CASES_AT] + I_WIDTH * n + I_ORDER] + I_ARRIVAL])
        if now >= until:
            break
        while True:
            t = _next_token(M, now, cases)
            if t < 0:
                break
            M[H_DONE_EVENTS] += 1
            if t > 0:
                _advance(M, D, t, now)
            if M[H_STATUS] != RUNNING:
                return M[H_STATUS]
        if M[H_TOUCHED]:
            _dispatch(M, D, now)
        if M[H_STATUS] != RUNNING:
            return M[H_STATUS]
    if until >= stop:
        _write_unfinished(M)
        if M[H_STATUS] == RUNNING:
            M[H_STATUS] = DONE
    return M[H_STATUS]


# -- sums over the rows (simulator.summary says what they are)

(G_FIRST, G_LAST, G_EDGE, G_WEEKS, G_MASKS_AT, G_SECONDS_AT, G_VISITS_AT, G_WORK_AT, G_BUSY_AT, G_QUEUE_AT, G_GROUPS_AT,
 G_HEADER) = range(12)  # fmt: skip
AGAIN_GROUP = np.int64(1) << 62
"""Group of the cases that visited some step more than once."""


@jit
def _by_week(G, at, start, end, calendar, M):
    """Adds the open time (elapsed if no calendar is given) of [start, end) to the weeks in which it lies."""
    week = (start - G[G_EDGE]) // WEEK
    before = open_until(M, calendar, start) if calendar >= 0 else start
    while True:
        edge = min(end, G[G_EDGE] + (week + 1) * WEEK)
        after = open_until(M, calendar, edge) if calendar >= 0 else edge
        G[at + week] += after - before
        if edge == end:
            return
        week, before = week + 1, after


@entry
def tally(m, g):
    """Adds up the rows of a finished run. g: header (G_*), a mask of groups a step, then zeros for the sums."""
    M, G = pointer(m), pointer(g)
    weeks, stop, tables = G[G_WEEKS], M[H_STOP], M[H_CALENDARS]
    for n in range(M[H_ROWS]):
        r = M[H_ROWS_AT] + ROW * n
        case, step, again, result = M[r] >> 32, (M[r] >> 20) & 0xFFF, (M[r] >> 4) & 0xFFF > 0, M[r] & 15
        entered, started, ended = M[r + 1] >> 32, np.int64(np.int32(M[r + 1] & MASK_LOW)), M[r + 2] >> 32
        until = stop if ended == OPEN else ended
        if started == OPEN:
            started = until
        f = FIELDS_AT + FIELDS * step
        pool, queue, closed, own = M[f + C_POOL], 0, 0, until - entered
        if M[f + C_OP] == SERVE:
            o = open_until(M, tables + pool, until)
            closed = own - (o - open_until(M, tables + pool, entered))
            work = o - open_until(M, tables + pool, started)
            queue, own = own - closed - work, work
        elif M[f + C_OP] == DELAY and M[f + C_CALENDAR] >= 0:
            closed = own - (open_until(M, M[f + C_CALENDAR], until) - open_until(M, M[f + C_CALENDAR], entered))
            own -= closed
        if pool >= 0 and result < WITHOUT_POOL:
            if started > entered:
                _by_week(G, G[G_QUEUE_AT] + pool * weeks, entered, started, NOBODY, M)
            if until > started:
                _by_week(G, G[G_BUSY_AT] + pool * weeks, started, until, tables + pool, M)
        arrival = M[M[H_CASES_AT] + I_WIDTH * case + I_ARRIVAL]
        if arrival < G[G_FIRST] or arrival >= G[G_LAST]:
            continue
        G[G[G_GROUPS_AT] + case] |= G[G[G_MASKS_AT] + step] | (AGAIN_GROUP if again else 0)
        G[G[G_VISITS_AT] + step] += 1
        if M[f + C_OP] == SERVE:
            G[G[G_WORK_AT] + pool] += own
        if M[r + 2] & 1 == 0:
            at = G[G_SECONDS_AT] + step * 6 + (3 if again else 0)
            G[at] += queue
            G[at + 1] += closed
            G[at + 2] += own
    return 0
