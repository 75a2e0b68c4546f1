"""The eight questions as data: for the terminal, for the app, and for files of answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["estimate", "choice", "whole", "weeks", "day", "types", "rates", "files"]
"""How an answer is read.

estimate: a number, a range or low / likely / high, in `dimension` · choice: one of `choices` · whole: a whole number from `least` to `most`
weeks: "13 to 26" · day: 2027-01-04 · types: a list of case types · rates: one amount, or one a team · files: several of `choices`
"""
Dimension = Literal["duration", "share", "accuracy", "number", "money"]


@dataclass(frozen=True, slots=True)
class Choice:
    """One possible answer: how files of answers name it, and in words."""

    id: str
    words: str


@dataclass(frozen=True, slots=True)
class Field:
    """One number or choice that is asked. Every one may be left open.

    `says`: its name in summaries · `single`: one number, no range · `path`: the number of the case that holds while it is open, with
    roles such as {ai} in place of names · `only_if`: (field, answers) of the same question without which it is not asked
    """

    id: str
    ask: str
    kind: Kind
    says: str
    example: str = ""
    dimension: Dimension = "number"
    single: bool = False
    least: int = 1
    most: int = 0
    choices: tuple[Choice, ...] = ()
    path: str = ""
    only_if: tuple[str, tuple[str, ...]] | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """One of the eight, with its fields."""

    id: str
    title: str
    help: str
    fields: tuple[Field, ...]

    def field(self, name: str) -> Field:
        """The field of that name. Raises KeyError."""
        for field in self.fields:
            if field.id == name:
                return field
        raise KeyError(name)


_DAYS = (Choice("calendar", "calendar days"), Choice("working", "working days"))
_STATISTICS = (
    Choice("mean", "on average"),
    Choice("median", "half of all are faster"),
    Choice("p90", "9 of 10 are faster"),
)

PROMISE = Question(
    "promise", "What was promised?",
    "The sentence of the business case: from how many days to how many, and what the number counts.",
    (
        Field("statistic", "What does the promised number count?", "choice", "what the promise counts",
              choices=(*_STATISTICS, Choice("share_within", "the share done within some days"))),
        Field("level", "Promised time", "estimate", "promise", "7 d", "duration", single=True,
              only_if=("statistic", ("", "mean", "median", "p90"))),
        Field("share", "Promised share", "estimate", "promised share", "80 %", "share", single=True,
              only_if=("statistic", ("share_within",))),
        Field("within", "Done within", "estimate", "within", "10 d", "duration", single=True,
              only_if=("statistic", ("share_within",))),
        Field("baseline", "From what? The same number today, as the business case states it", "estimate",
              "today, as the business case states it", "14 d", "duration", single=True,
              only_if=("statistic", ("", "mean", "median", "p90"))),
        Field("baseline_share", "From what? The same share today, as the business case states it", "estimate",
              "today's share, as the business case states it", "20 %", "share", single=True,
              only_if=("statistic", ("share_within",))),
        Field("days", "Are these calendar or working days?", "choice", "days of the promise", choices=_DAYS),
        Field("weeks", "In which weeks after go-live must it hold?", "weeks", "weeks of the promise", "13 to 26"),
        Field("go_live", "When is go-live? A Monday", "day", "go-live", "2027-01-04"),
    ),
)  # fmt: skip

TODAY = Question(
    "today", "Where are you today?",
    "The number you measure now and what its clock runs over. The model counts from receipt until all is approved and scheduled.",
    (
        Field("statistic", "What does your number count?", "choice", "what today's number counts", choices=_STATISTICS),
        Field("observed", "Today's number", "estimate", "today", "14 d, or 13 to 15 d (80 % sure)", "duration",
              path="baseline.observed"),
        Field("slowest", "9 of 10 are done within", "estimate", "9 of 10 today within", "26 d", "duration", single=True),
        Field("days", "Calendar or working days?", "choice", "days of today's number", choices=_DAYS),
        Field("cases", "How many cases does it rest on?", "whole", "cases behind today's number", "800", most=100_000_000),
        Field("starts", "When does its clock start?", "choice", "start of today's clock",
              choices=(Choice("receipt", "at receipt"), Choice("later", "later, for example when it is entered"))),
        Field("missing", "How many days lie before that, since receipt?", "estimate", "days before the clock starts", "2 d",
              "duration", single=True, only_if=("starts", ("later",))),
        Field("ends", "When does it stop?", "choice", "end of today's clock",
              choices=(Choice("scheduled", "approved and scheduled for payment"), Choice("later", "later, for example when paid"))),
        Field("beyond", "How many days lie after that, until it stops?", "estimate", "days after the work is done", "10 d",
              "duration", single=True, only_if=("ends", ("later",))),
    ),
)  # fmt: skip

PILOT = Question(
    "pilot", "What did the pilot measure?",
    "The accuracy in the pilot report, and on how many cases it rests.",
    (
        Field("accuracy", "Accuracy in the pilot", "estimate", "accuracy in the pilot", "92 %, 92 % of 400, or 368 of 400", "accuracy",
              path="steps.{ai}.accuracy"),
        Field("tried", "Of how many checked", "whole", "cases checked in the pilot", "400", most=1_000_000_000),
        Field("measured", "Counted per document, or per field?", "choice", "what the accuracy counts",
              choices=(Choice("per_case", "per document"), Choice("per_field", "per field of a document"))),
        Field("fields", "How many fields must be right in a document?", "whole", "fields of a document", "12", most=1_000,
              only_if=("measured", ("per_field",))),
    ),
)  # fmt: skip

UNSURE = Question(
    "unsure", "What happens when the AI is not sure?",
    "What passes without anybody looking at it, who looks at the rest, and what they notice.",
    (
        Field("coverage", "Share accepted without review", "estimate", "share accepted without review", "70 to 80 %", "share",
              path="steps.{ai}.coverage"),
        Field("accepted_wrong", "Of those accepted, share found wrong in a check", "estimate", "wrong among the accepted", "2 %",
              "share", path="steps.{ai}.accepted_error"),
        Field("who", "Who reviews the others?", "choice", "who reviews",
              choices=(Choice("own", "people only for that"), Choice("entry", "the people who enter data today, beside their work"))),
        Field("reviewers", "How many people review, live", "whole", "people who review", "1", most=1_000,
              path="teams.{reviewers}.headcount", only_if=("who", ("", "own"))),
        Field("catch", "Share of the AI's errors that a reviewer notices", "estimate", "errors that a reviewer notices",
              "70 / 88 / 96 % (90 % sure)", "share", path="steps.{review}.catch"),
    ),
)  # fmt: skip

VOLUME = Question(
    "volume", "How many cases come, and of which types?",
    "The types in the words of your company. Types that the pilot never saw matter most.",
    (
        Field("per_month", "Cases a month", "estimate", "cases a month", "2500", "number", path="arrivals.per_month"),
        Field("types", "Types, their shares, and whether the pilot had them", "types", "types of cases"),
        Field("people", "People who enter and match them today", "whole", "people at data entry", "4", most=10_000,
              path="teams.{entry}.headcount"),
    ),
)  # fmt: skip

PROCESS = Question(
    "process", "Approvals, exceptions, systems",
    "The three places where days usually lie.",
    (
        Field("levels", "How many approvers at most, one after the other", "whole", "levels of approval", "2", least=0, most=6),
        Field("typical", "How long does one approver typically take? Half answer faster", "estimate", "typical answer of an approver",
              "1.5 d", "duration", path="steps.{approval}.levels.1.response.median"),
        Field("slow", "And a slow one? 1 in 10 takes longer", "estimate", "slow answer of an approver", "7 d", "duration",
              path="steps.{approval}.levels.1.response.p90"),
        Field("exceptions", "Share of cases that become an exception", "estimate", "share of exceptions", "20 %", "share",
              path="steps.{choice}.options.{option}.share"),
        Field("exception_days", "How many days does an exception take", "estimate", "days of an exception", "3 / 5 / 7 d",
              "duration", path="steps.{desk}.levels.1.outside.time.mean"),
        Field("desk", "People at the exception desk today", "whole", "people at the exception desk", "2", most=10_000,
              path="teams.{desk_team}.headcount"),
        Field("systems", "How many systems must the AI's result be posted to", "whole", "connected systems", "1", least=0, most=5),
        Field("fails", "Share of postings that fail for good, live", "estimate", "postings that fail for good", "2 %", "share",
              path="steps.{system}.permanent"),
        Field("outages", "How often a year is such a system down, live", "estimate", "outages a year", "6", "number",
              path="systems.{endpoint}.outage.every.mean"),
        Field("outage_length", "How long is a typical outage, live", "estimate", "length of an outage", "8 h", "duration",
              path="systems.{endpoint}.outage.repair.median"),
    ),
)  # fmt: skip

MONEY = Question(
    "money", "What does it cost?",
    "Amounts with their currency.",
    (
        Field("cost_today", "Cost of a case today, all in", "estimate", "cost of a case today", "9.40 USD", "money",
              path="money.cost_per_case_today"),
        Field("ai_fee", "Fee of the AI for a case", "estimate", "fee of the AI", "0.05 / 0.15 / 0.60 USD", "money",
              path="money.ai_cost_per_case"),
        Field("hourly", "Cost of an hour of work", "rates", "cost of an hour", "40 USD, or data entry: 32 USD; AP lead: 60 USD",
              "money"),
        Field("investment", "Investment, once", "estimate", "investment", "150000 USD", "money", single=True),
    ),
)  # fmt: skip

FILES = Question(
    "files", "Which files exist?",
    "Nothing is read now; the answer says which tables are worth filling first.",
    (
        Field("exist", "What could you export or find", "files", "files that exist",
              choices=(
                  Choice("dates", "dates per case (receipt, entry, matching, sent to approver, approved)"),
                  Choice("approvals", "requests to approvers with their dates"),
                  Choice("pilot", "the pilot's results, by case or counted"),
                  Choice("production", "results on a sample of live cases or of a parallel run"),
                  Choice("audit", "a check of outputs that were accepted without review"),
                  Choice("counts", "counts of exceptions, rejections or rework"),
                  Choice("arrivals", "cases received per day"),
                  Choice("calls", "a log of the interface"),
                  Choice("outages", "a list of outages"),
                  Choice("quality", "a profile of the data's defects"),
                  Choice("readiness", "results of tests before go-live"),
              )),
    ),
)  # fmt: skip

QUESTIONS: tuple[Question, ...] = (PROMISE, TODAY, PILOT, UNSURE, VOLUME, PROCESS, MONEY, FILES)


def question_named(name: str) -> Question:
    """The question of that id. Raises KeyError."""
    for question in QUESTIONS:
        if question.id == name:
            return question
    raise KeyError(name)
