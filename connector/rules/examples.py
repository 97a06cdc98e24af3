"""`examples` of a rule: answers written down, with what should happen."""

from __future__ import annotations

from collections.abc import Sequence

from connector.documents import Document, read, validate
from connector.domain import Facts, History, Problem, Survey
from connector.errors import Invalid
from connector.rules.fields import attributes
from connector.rules.model import Example, ExampleText, GivenText, Vocabulary
from connector.text import did_you_mean, one_line

_ANY_SURVEY = Survey(id="example")
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
    history = given.history
    previous = history.previous_segment or survey.segment(history.previous_score)
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
        link=given.link,
        tags=given.tags,
        properties=given.properties,
        customer=given.customer,
        company=given.company,
        history=History(
            answers=history.answers,
            detractor_answers=history.detractor_answers,
            previous_score=history.previous_score,
            previous_segment=previous,
            open_cases=history.open_cases,
            days_since_contact=history.days_since_contact,
        ),
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
            hint = did_you_mean(word, known) or f"allowed: {', '.join(known) or 'none'}"
            message = f"{key}: '{one_line(word, 40)}' is not allowed"
            problems.append(document.problem(message, *at, key, hint=hint))
    allowed = sorted(attributes(vocabulary))
    for group in ("customer", "company"):
        for name in getattr(given, group):
            if name not in allowed:
                hint = did_you_mean(name, allowed) or f"allowed: {', '.join(allowed)}"
                message = f"unknown attribute '{one_line(name, 40)}'"
                problems.append(document.problem(message, *at, group, name, hint=hint))
    if given.score is not None and not problems:
        survey = _survey(given, vocabulary)
        if not survey.low <= given.score <= survey.high:
            message = f"score: {given.score} is not on the scale of {survey.id}"
            hint = f"scores go from {survey.low} to {survey.high}"
            problems.append(document.problem(message, *at, "score", hint=hint))
    return problems
