"""`examples` of a rule: answers written down, with what should happen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from connector.documents import Document, read, validate
from connector.domain import (
    MOST_PAST,
    EarlierAnswer,
    Facts,
    History,
    PastAnswer,
    Problem,
    Survey,
)
from connector.errors import Invalid
from connector.rules.fields import attributes
from connector.rules.model import Example, Vocabulary
from connector.rules.written import ExampleText, GivenText, HistoryText
from connector.text import did_you_mean, one_line

_ANY_SURVEY = Survey(id="example")
_FOLLOWS = ("answers", "detractor_answers", "previous_score", "previous_segment")
_MOST_EARLIER = 3
DECIDED_AT = datetime(2000, 1, 1, tzinfo=UTC)  # of every example: only what lies before it matters
At = tuple[str | int, ...]


def read_examples(
    document: Document, at: At, examples: Sequence[ExampleText], vocabulary: Vocabulary
) -> tuple[tuple[Example, ...], list[Problem]]:
    """The examples as facts, and what cannot be in this installation."""
    found: list[Example] = []
    problems: list[Problem] = []
    for number, example in enumerate(examples):
        where = (*at, number, "given")
        wrong = _wrong(document, where, example.given, vocabulary)
        problems.extend(wrong)
        if not wrong:
            facts = facts_of(example.given, vocabulary)
            found.append(Example(facts, example.fires, document.place(*at, number)))
    return tuple(found), problems


def read_given(text: str, name: str, vocabulary: Vocabulary) -> Facts:
    """The facts of one answer that was written down as `given` of an example; YAML or JSON.

    Raises:
        Invalid: every problem, each with its place; `name` stands for the file.
    """
    document = read(text, name)
    given, problems = validate(document, GivenText)
    if given is not None:
        problems = _wrong(document, (), given, vocabulary)
    if given is None or problems:
        raise Invalid(problems)
    return facts_of(given, vocabulary)


def facts_of(given: GivenText, vocabulary: Vocabulary) -> Facts:
    """The facts that such an answer would have; `given.survey` must exist."""
    survey = _survey(given, vocabulary)
    return Facts(
        response_id="example",
        source=given.source or next(iter(vocabulary.sources), "example"),
        survey=survey.id,
        survey_name=survey.name,
        brand=given.brand if given.brand is not None else survey.brand,
        scale_low=survey.low,
        scale_high=survey.high,
        score=given.score,
        segment=survey.segment(given.score),
        comment=given.comment,
        language=given.language or survey.language or "en",
        decided_at=DECIDED_AT,
        link=given.link,
        tags=given.tags,
        properties=given.properties,
        customer=given.customer,
        company=given.company,
        history=history_of(given.history, survey, vocabulary),
    )


def history_of(told: HistoryText, survey: Survey, vocabulary: Vocabulary) -> History:
    """The history that it stands for, before an answer to this survey; its own surveys exist."""
    if not told.past:
        return History(
            answers=told.answers,
            detractor_answers=told.detractor_answers,
            previous_score=told.previous_score,
            previous_segment=told.previous_segment or survey.segment(told.previous_score),
            open_cases=told.open_cases,
            days_since_contact=told.days_since_contact,
        )
    before: list[PastAnswer] = []
    earlier: list[EarlierAnswer] = []
    for one in sorted(told.past, key=lambda one: one.days_ago):
        of = survey if one.survey is None else vocabulary.surveys[one.survey]
        at, segment = DECIDED_AT - timedelta(days=one.days_ago), of.segment(one.score)
        before.append(
            PastAnswer.model_construct(  # all of it was checked
                answered_at=at,
                scale_low=of.low,
                scale_high=of.high,
                score=one.score,
                segment=segment,
            )
        )
        if len(earlier) < _MOST_EARLIER:
            earlier.append(
                EarlierAnswer.model_construct(
                    answered_at=at, survey=of.id, score=one.score, segment=segment
                )
            )
    return History.model_construct(
        answers=len(before),
        detractor_answers=sum(one.segment == "detractor" for one in before),
        previous_score=before[0].score,
        previous_segment=before[0].segment,
        previous_at=before[0].answered_at,
        open_cases=told.open_cases,
        days_since_contact=told.days_since_contact,
        earlier=tuple(earlier),
        past=tuple(before[:MOST_PAST]),
    )


def _survey(given: GivenText, vocabulary: Vocabulary) -> Survey:
    first = next(iter(vocabulary.surveys.values()), _ANY_SURVEY)
    return first if given.survey is None else vocabulary.surveys[given.survey]


def _wrong(document: Document, at: At, given: GivenText, vocabulary: Vocabulary) -> list[Problem]:
    problems: list[Problem] = []
    for key, word, known in (
        ("survey", given.survey, tuple(vocabulary.surveys)),
        ("source", given.source, vocabulary.sources),
    ):
        if word is not None and word not in known:
            problems.append(_unknown(document, at, key, word, known))
    allowed = sorted(attributes(vocabulary))
    for group in ("customer", "company"):
        for name in getattr(given, group):
            if name not in allowed:
                hint = did_you_mean(name, allowed) or f"allowed: {', '.join(allowed)}"
                message = f"unknown attribute '{one_line(name, 40)}'"
                problems.append(document.problem(message, *at, group, name, hint=hint))
    surveys = tuple(vocabulary.surveys)
    for number, one in enumerate(given.history.past):
        if one.survey is not None and one.survey not in surveys:
            problems.append(
                _unknown(document, (*at, "history", "past", number), "survey", one.survey, surveys)
            )
    told = [name for name in _FOLLOWS if name in given.history.model_fields_set]
    if given.history.past and told:
        message = f"history: {told[0]} follows from 'past'"
        problems.append(
            document.problem(message, *at, "history", told[0], hint="leave one of them out")
        )
    if problems:
        return problems
    scores = [(given.score, _survey(given, vocabulary), at)]
    for number, one in enumerate(given.history.past):
        of = scores[0][1] if one.survey is None else vocabulary.surveys[one.survey]
        scores.append((one.score, of, (*at, "history", "past", number)))
    for score, survey, where in scores:
        if score is not None and not survey.low <= score <= survey.high:
            message = f"score: {score} is not on the scale of {survey.id}"
            hint = f"scores go from {survey.low} to {survey.high}"
            problems.append(document.problem(message, *where, "score", hint=hint))
    return problems


def _unknown(document: Document, at: At, key: str, word: str, known: Sequence[str]) -> Problem:
    hint = did_you_mean(word, known) or f"allowed: {', '.join(known) or 'none'}"
    message = f"{key}: '{one_line(word, 40)}' is not allowed"
    return document.problem(message, *at, key, hint=hint)
