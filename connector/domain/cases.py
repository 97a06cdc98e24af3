"""What has become of a case at the far side."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, field_validator

from connector.domain.values import Value
from connector.text import storable

# contacted: a person has begun; gone: deleted at the far side, so that nobody can close it.
CaseState = Literal["open", "contacted", "closed", "gone"]
Need = Literal["cause", "action_taken"]


class Standing(Value):
    """How one case stands at the far side, as it was read there.

    `changed_at` is the far side's own time of its newest change: older news changes nothing.
    `status`, `owner` and `team` are in its words. `contacted_at` is when a person first changed the
    case; where the far side does not tell that, the earliest time at which somebody surely had.
    `cause` and `action_taken` stand in the fields that the sink's settings name. `unsure`: who has
    begun could not be read this time; it is asked again.
    """

    remote_id: str
    state: CaseState
    status: str
    changed_at: AwareDatetime
    owner: str = ""
    team: str = ""
    contacted_at: AwareDatetime | None = None
    closed_at: AwareDatetime | None = None
    cause: str = ""
    action_taken: str = ""
    unsure: bool = False

    @field_validator("status", "owner", "team", "cause", "action_taken", mode="before")
    @classmethod
    def _as_stored(cls, told: object) -> object:
        return storable(told) if isinstance(told, str) else told


class Watched(Value):
    """A case that is followed: it is not closed, or was a short while ago. `contacted`: its first
    touch is known, and need not be looked for again; one before `since` is of an earlier case in
    the same record and does not count."""

    remote_id: str
    contacted: bool = False
    since: AwareDatetime | None = None


class Followed(Value):
    """One page of news; `cursor` is kept in the same transaction as what it says."""

    standings: tuple[Standing, ...] = ()
    cursor: str | None = None
