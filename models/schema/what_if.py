"""A what-if: numbers of the world after go-live set, moved or scaled."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from models.values import Quantity, Strict


class Change(Strict):
    """What happens to one number: exactly one of `set`, `add`, `times`, `logit`."""

    set: Quantity | None = Field(None, description="a fixed value in its place, with its unit")
    add: float | None = Field(None, ge=-1e6, le=1e6, description="added, in the number's own unit (people, weeks, logits)")
    times: float | None = Field(None, gt=0, le=1_000, description="multiplied")
    logit: float | None = Field(None, ge=-40, le=40, description="added on the logit scale; for shares")

    @model_validator(mode="after")
    def _one(self) -> Change:
        if sum(x is not None for x in (self.set, self.add, self.times, self.logit)) != 1:
            raise PydanticCustomError("form", "give exactly one of set, add, times, logit")
        return self


class WhatIf(Strict):
    """Changes of the time after go-live: today stays as it is, and what is uncertain stays uncertain."""

    title: str = Field("what if", max_length=200, description="what it is called")
    changes: dict[str, Change] = Field(
        min_length=1,
        max_length=100,
        description='parameter path -> what happens to it, as in `"teams.reviewers.headcount" = { add = 1 }`',
    )


class WhatIfFile(Strict):
    """A file that holds a what-if of a case which stands elsewhere, with what its evidence taught."""

    schema_version: Literal[1] = Field(description="version of this format: 1")
    what_if_of: str = Field(description="the case: a shipped name, a file, or a case folder; paths begin at this file")
    case_hash: str = Field("", max_length=64, description="hash of the case when this was saved")
    title: str = Field("what if", max_length=200, description="what it is called")
    changes: dict[str, Change] = Field(min_length=1, max_length=100, description="parameter path -> what happens to it")

    def what_if(self) -> WhatIf:
        """The what-if itself."""
        return WhatIf(title=self.title, changes=self.changes)
