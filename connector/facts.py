"""The facts: all that rules may see about an answer, as it is at this moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.domain import Facts, History, LanguageFrom, Scalar
from connector.languages import base, detect
from connector.store import answers, people

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import Connection

    from connector.understanding import Kept

FALLBACK_LANGUAGE = "en"


def gather(
    connection: Connection, kept: Sequence[Kept], spoken: Collection[str] = ()
) -> list[Facts]:
    """The facts about each; their customers are locked until the transaction ends. `spoken`: the
    languages that a comment may turn out to be in; none: nobody looks."""
    known = [one.known_customer for one in kept if one.known_customer is not None]
    attributes = people.attributes(connection, known)
    histories = answers.histories(connection, known, [one.words.response for one in kept])
    found: list[Facts] = []
    for one in kept:
        if one.known_customer is None:
            found.append(gather_facts(one, {}, {}, History(), spoken))
            continue
        customer, company = attributes[one.known_customer]
        history = histories.get(one.known_customer, History())
        found.append(gather_facts(one, customer, company, history, spoken))
    return found


def gather_facts(
    one: Kept,
    known: Mapping[str, Scalar],
    company: Mapping[str, Scalar],
    history: History,
    spoken: Collection[str] = (),
) -> Facts:
    """`known`: what is stored about the customer; what the answer itself tells wins."""
    content, survey = one.words.content, one.words.survey
    person = content.respondent
    told: dict[str, Scalar] = {
        "email": person.email,
        "phone": person.phone,
        "external_id": person.external_id,
        "name": person.name,
    }
    customer = {**known, **{k: v for k, v in told.items() if v}}
    language, language_from = _language(one, customer.get("language"), spoken)
    return Facts(
        response_id=one.words.response,
        revision=one.revision,
        source=one.words.arrival.source,
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
        link=content.link,
        tags=content.tags,
        properties=content.properties,
        customer=customer,
        company=dict(company),
        history=history,
    )


def _language(one: Kept, customers: Scalar, spoken: Collection[str]) -> tuple[str, LanguageFrom]:
    """Who says it best: the source, the customer's attribute, the comment itself, the survey. A
    comment in the survey's own language does not make `pt-BR` into `pt`."""
    content, surveys = one.words.content, one.words.survey.language
    if content.language:
        return content.language, "source"
    if customers:
        return str(customers), "customer"
    found = detect(content.comment, spoken)
    if found and not (surveys and base(surveys) == found):
        return found, "detected"
    return surveys or FALLBACK_LANGUAGE, "survey"
