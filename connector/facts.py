"""The facts: all that rules may see about an answer, as it is at this moment."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from connector.domain import Facts, History, LanguageFrom, Response, Scalar, Survey
from connector.languages import base, detect
from connector.store import effects, histories, people, turns
from connector.store.histories import Before

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import Connection

    from connector.rules.model import Ruleset

FALLBACK_LANGUAGE = "en"


class Subject(NamedTuple):
    """One revision of an answer. `customer` is whose it is, `stranger` that nothing else is known
    about them yet; `decided`: there are decisions about it."""

    response: str
    revision: int
    source: str
    survey: Survey
    content: Response
    customer: str | None
    stranger: bool
    answered_at: datetime | None
    decided: bool

    @property
    def known_customer(self) -> str | None:
        return None if self.stranger else self.customer


class Around(NamedTuple):
    """What facts are gathered in. `young`: news given before it is not acted on any more.
    `spoken`: the languages that a comment may turn out to be in; none: nobody looks."""

    now: datetime
    young: datetime
    surveys: Mapping[str, Survey]
    ruleset: Ruleset
    spoken: Collection[str] = ()


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
    ends. No two of one customer. Looked up is only what the ruleset asks for."""
    now, ruleset = around.now, around.ruleset
    judged = {one.response: one.known_customer for one in subjects}
    theirs = {response: known for response, known in judged.items() if known is not None}
    attributes = people.attributes(connection, {*theirs.values(), *besides})
    before = histories.histories(connection, theirs, around.surveys, around.young)
    earlier = effects.earlier_effects(connection, set(theirs.values()), judged, ruleset.recall, now)
    again = [one.response for one in subjects if one.decided] if ruleset.routing else []
    positions = turns.taken(connection, again)
    found: list[Gathered] = []
    for one in subjects:
        person = one.known_customer
        customer, company = attributes[person] if person is not None else ({}, {})
        history, overtaken = before.get(one.response, Before())
        if person in earlier:
            history = history.model_copy(update=earlier[person]._asdict())
        facts = gather_facts(one, customer, company, history, around)
        if one.response in positions:
            facts = facts.model_copy(update={"positions": positions[one.response]})
        found.append(Gathered(facts, overtaken))
    return found


def gather_facts(
    one: Subject,
    known: Mapping[str, Scalar],
    company: Mapping[str, Scalar],
    history: History,
    around: Around,
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
    language, language_from = _language(one, customer.get("language"), around.spoken)
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
        language=language.lower(),
        language_from=language_from,
        answered_at=one.answered_at,
        decided_at=around.now,
        link=content.link,
        tags=content.tags,
        properties=content.properties,
        customer_id=one.customer,
        customer=customer,
        company=dict(company),
        history=history,
    )


def _language(one: Subject, customers: Scalar, spoken: Collection[str]) -> tuple[str, LanguageFrom]:
    """Who says it best: the source, the customer's attribute, the comment itself, the survey. A
    comment in the survey's own language does not make `pt-BR` into `pt`."""
    content, surveys = one.content, one.survey.language
    if content.language:
        return content.language, "source"
    if customers:
        return str(customers), "customer"
    found = detect(content.comment, spoken)
    if found and not (surveys and base(surveys) == found):
        return found, "detected"
    return surveys or FALLBACK_LANGUAGE, "survey"
