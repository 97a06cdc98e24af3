"""What can be asked of the API: the query of each path, checked."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from connector.domain import CaseState, Segment
from connector.states import ACTION_STATES
from connector.store.counting import Period
from connector.text import did_you_mean
from connector.web.api.errors import Wrong
from connector.web.parameters import is_plausible


def _plausible(moment: datetime) -> datetime:
    if not is_plausible(moment):
        raise ValueError("the year has to be between 1970 and 9998")
    return moment


_Moment = Annotated[AwareDatetime, AfterValidator(_plausible)]
_After = Annotated[str, Field("", max_length=200, description="`next` of the page before")]
_USUAL = timedelta(days=30)
LONGEST = timedelta(days=400)  # of a report


class Query(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, frozen=True)


class Nothing(Query):
    pass


class Paged(Query):
    """A page may hold fewer than `limit`, or none, and still have a `next`."""

    limit: int = Field(50, ge=1, le=500)
    after: _After = ""


class Responses(Paged):
    """The newest first, by when they came in."""

    source: str | None = None
    survey: str | None = None
    segment: Segment | None = None
    customer_id: str | None = None
    since: _Moment | None = Field(None, description="received since then")
    until: _Moment | None = Field(None, description="received before then")


class Cases(Paged):
    """The newest first."""

    state: CaseState | None = None
    sink: str | None = None
    segment: Segment | None = None
    untouched: bool | None = Field(None, description="true: nobody has begun")


class Actions(Paged):
    """The newest first."""

    state: str = Field("", description=", ".join(ACTION_STATES))
    sink: str = ""
    kind: str = ""
    rule: str = ""
    response: str = Field("", description="an id or its beginning")
    customer_id: str = ""

    @field_validator("state")
    @classmethod
    def _exists(cls, state: str) -> str:
        if state and state not in ACTION_STATES:
            near = did_you_mean(state, ACTION_STATES)
            raise ValueError(near or f"there are: {', '.join(ACTION_STATES)}")
        return state


class Alarms(Paged):
    """The newest first."""

    open: Literal["true", "all"] = Field("true", description="all: those that are over as well")


class Window(Query):
    since: _Moment | None = Field(
        None, description=f"by default 30 days before `until`, {LONGEST.days} at most"
    )
    until: _Moment | None = Field(None, description="by default now")

    def period(self, now: datetime) -> Period:
        """Raises Wrong."""
        until = self.until or now
        since = self.since or until - _USUAL
        if until - since > LONGEST:
            raise Wrong(f"since: {LONGEST.days} days before `until` at most")
        return Period(since, until)


class Nps(Window):
    survey: str | None = None
    by: str = Field("survey", description="survey, source, day, week, month, rule, plan …")
    min_n: int = Field(30, ge=1, description="answers that a figure needs")


class Coverage(Window):
    pass
