"""The facts: all that rules may see about an answer, as it is at this moment."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from connector.domain import Facts, History, Response, Scalar, Survey
from connector.store import histories, people
from connector.store.histories import Before

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import Connection

FALLBACK_LANGUAGE = "en"


class Subject(NamedTuple):
    """One revision of an answer. `customer` is None where nothing is known about them yet."""

    response: str
    revision: int
    source: str
    survey: Survey
    content: Response
    customer: str | None
    answered_at: datetime | None


class Around(NamedTuple):
    """What facts are gathered in. `young`: news given before it is not acted on any more."""

    now: datetime
    young: datetime
    surveys: Mapping[str, Survey]


class Gathered(NamedTuple):
    """`overtaken`: a later answer of the customer, young enough to act on, was decided before."""

    facts: Facts
    overtaken: bool


def gather(
    connection: Connection,
    subjects: Sequence[Subject],
    around: Around,
    besides: Collection[str] = (),
) -> list[Gathered]:
    """The facts about each; their customers, and those `besides`, are locked until the transaction
    ends. No two of one customer."""
    judged = {one.response: one.customer for one in subjects if one.customer is not None}
    attributes = people.attributes(connection, {*judged.values(), *besides})
    before = histories.histories(connection, judged, around.surveys, around.young)
    found: list[Gathered] = []
    for one in subjects:
        if one.customer is None:
            found.append(Gathered(gather_facts(one, {}, {}, History(), around.now), False))
            continue
        customer, company = attributes[one.customer]
        history, overtaken = before.get(one.response, Before())
        facts = gather_facts(one, customer, company, history, around.now)
        found.append(Gathered(facts, overtaken))
    return found


def gather_facts(
    one: Subject,
    known: Mapping[str, Scalar],
    company: Mapping[str, Scalar],
    history: History,
    now: datetime,
) -> Facts:
    """`known`: what is stored about the customer; what the answer itself tells wins."""
    content, survey = one.content, one.survey
    person = content.respondent
    told: dict[str, Scalar] = {
        "email": person.email,
        "phone": person.phone,
        "external_id": person.external_id,
        "name": person.name,
    }
    customer = {**known, **{k: v for k, v in told.items() if v}}
    language = content.language or customer.get("language") or survey.language
    return Facts(
        response_id=one.response,
        revision=one.revision,
        source=one.source,
        survey=survey.id,
        survey_name=survey.name or survey.id,
        brand=survey.brand,
        scale_low=survey.low,
        scale_high=survey.high,
        score=content.score,
        segment=survey.segment(content.score),
        comment=content.comment.strip(),
        language=str(language or FALLBACK_LANGUAGE).lower(),
        answered_at=one.answered_at,
        decided_at=now,
        link=content.link,
        tags=content.tags,
        properties=content.properties,
        customer=customer,
        company=dict(company),
        history=history,
    )
