// The two-pool model of benchmarks/two_pools.py as a bare event loop: no interpreter, no ledger, no addressed random numbers.
// A lower bound of what a simulation of it can cost. Returns the mean cycle time.

#include <cmath>
#include <cstdint>
#include <deque>
#include <functional>
#include <queue>
#include <vector>

namespace {

struct Random {  // splitmix64
    std::uint64_t state;

    double uniform() {
        std::uint64_t z = (state += 0x9E3779B97F4A7C15ull);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
        return (static_cast<double>((z ^ (z >> 31)) >> 12) + 0.5) * 0x1p-52;
    }
    double exponential(double mean) { return -mean * std::log(uniform()); }

    double normal() {  // Marsaglia's polar method
        if (spare_ready) {
            spare_ready = false;
            return spare;
        }
        double x, y, s;
        do {
            x = 2.0 * uniform() - 1.0;
            y = 2.0 * uniform() - 1.0;
            s = x * x + y * y;
        } while (s >= 1.0 || s == 0.0);
        const double factor = std::sqrt(-2.0 * std::log(s) / s);
        spare = y * factor;
        spare_ready = true;
        return x * factor;
    }

    double spare = 0.0;
    bool spare_ready = false;
};

enum Stage : std::uint32_t { ARRIVE, AUTOMATED, CHECKED, APPROVED, WAITED };

struct Event {
    double time;
    std::uint32_t stage, slot;

    friend bool operator>(const Event& a, const Event& b) { return a.time > b.time; }
};

struct Pool {
    int free;
    std::deque<std::uint32_t> waiting;
};

}  // namespace

extern "C" double two_pools(std::int64_t cases, std::uint64_t seed, double gap, double automated, double check_share, double check_mu,
                            double check_sigma, double approve, double delay) {
    Random random{seed};
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events;
    std::vector<double> arrived;
    std::vector<std::uint32_t> free_slots;
    Pool checkers{4, {}}, approvers{3, {}};
    double total = 0.0;
    std::int64_t left = cases;

    const auto check = [&](double now, std::uint32_t slot) {
        events.push({now + std::exp(check_mu + check_sigma * random.normal()), CHECKED, slot});
    };
    const auto approval = [&](double now, std::uint32_t slot) { events.push({now + random.exponential(approve), APPROVED, slot}); };
    const auto join = [](Pool& pool, const auto& work, double now, std::uint32_t slot) {
        if (pool.free == 0) return pool.waiting.push_back(slot);
        --pool.free;
        work(now, slot);
    };
    const auto release = [](Pool& pool, const auto& work, double now) {
        if (pool.waiting.empty()) {
            ++pool.free;
            return;
        }
        const std::uint32_t next = pool.waiting.front();
        pool.waiting.pop_front();
        work(now, next);
    };

    events.push({random.exponential(gap), ARRIVE, 0});
    while (!events.empty()) {
        const Event e = events.top();
        events.pop();
        switch (e.stage) {
            case ARRIVE: {
                std::uint32_t slot;
                if (free_slots.empty()) {
                    slot = static_cast<std::uint32_t>(arrived.size());
                    arrived.push_back(e.time);
                } else {
                    slot = free_slots.back();
                    free_slots.pop_back();
                    arrived[slot] = e.time;
                }
                events.push({e.time + automated, AUTOMATED, slot});
                if (--left > 0) events.push({e.time + random.exponential(gap), ARRIVE, 0});
                break;
            }
            case AUTOMATED:
                if (random.uniform() < check_share)
                    join(checkers, check, e.time, e.slot);
                else
                    join(approvers, approval, e.time, e.slot);
                break;
            case CHECKED:
                release(checkers, check, e.time);
                join(approvers, approval, e.time, e.slot);
                break;
            case APPROVED:
                release(approvers, approval, e.time);
                events.push({e.time + delay, WAITED, e.slot});
                break;
            default:
                total += e.time - arrived[e.slot];
                free_slots.push_back(e.slot);
        }
    }
    return total / static_cast<double>(cases);
}
