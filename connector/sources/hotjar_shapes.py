"""What Hotjar sends, in its two shapes, as one response.

REST names the type of a question in the survey, a webhook beside the answer; most other names
differ too. https://docs.contentsquare.com/en/api/responses/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from connector.domain import Respondent, Response
from connector.sources.reading import (
    as_id,
    as_list,
    as_object,
    as_scalars,
    as_text,
    read_time,
    whole_score,
)
from connector.sources.values import read_link
from connector.text import clean_email

RATINGS = ("rating-1-5", "rating-1-7")
_OF_WEBHOOKS = {"1-5-rating": "rating-1-5", "1-7-rating": "rating-1-7"}
_COLUMNS = ("device", "browser", "os", "country", "hotjar_user_id")

Object = Mapping[str, Any]


class Answer(NamedTuple):
    question: str  # its text, or its id where the text is not told
    type: str
    texts: tuple[str, ...]
    comment: str = ""
    sentiment: str = ""
    tags: tuple[str, ...] = ()


def from_api(record: Object) -> Response:
    """`{"survey": {id, questions}, "response": row}`, as a poll stores it. Raises `Unreadable`."""
    survey = as_object(record.get("survey"), "survey")
    row = as_object(record.get("response"), "response")
    return _response(as_id(survey.get("id"), "survey.id"), row, _of_api(survey, row))


def from_webhook(data: Object) -> Response:
    """The `data` of a `survey_response` event. Raises `Unreadable`."""
    questions = as_list(data.get("questions"), "questions")
    answers = [_of_webhook(_question(entry)) for entry in questions]
    row = {
        **data,
        "id": data.get("api_id") or data.get("id"),
        "created_time": data.get("created_str") or data.get("created_timestamp"),
        "country": data.get("country_code"),
    }
    return _response(as_id(data.get("survey_id"), "survey_id"), row, answers)


def _of_api(survey: Object, row: Object) -> list[Answer]:
    """In the order of the survey's questions. Several entries for one question are one answer."""
    given: dict[str, list[Object]] = {}
    for entry in as_list(row.get("answers"), "answers"):
        answer = as_object(entry, "answers")
        given.setdefault(as_id(answer.get("question_id"), "question_id"), []).append(answer)
    questions = as_list(survey.get("questions"), "questions")
    known = {as_id(q.get("id"), "questions.id"): q for q in map(_question, questions)}
    order = [id for id in known if id in given] + [id for id in given if id not in known]
    return [_joined(id, known.get(id, {}), given[id]) for id in order]


def _question(entry: Any) -> Object:
    return as_object(entry, "questions")


def _joined(id: str, question: Object, entries: Sequence[Object]) -> Answer:
    tags = [as_object(t, "tags") for entry in entries for t in as_list(entry.get("tags"), "tags")]
    return Answer(
        question=as_text(question.get("text"), "questions.text").strip() or id,
        type=as_text(question.get("type"), "questions.type"),
        texts=tuple(text for entry in entries for text in _texts(entry.get("answer"))),
        comment=_first(as_text(entry.get("comment"), "comment") for entry in entries),
        sentiment=_first(as_text(entry.get("sentiment"), "sentiment") for entry in entries),
        tags=tuple(as_text(tag.get("name"), "tags.name") for tag in tags),
    )


def _of_webhook(entry: Object) -> Answer:
    kind = as_text(entry.get("question_type"), "question_type")
    text = as_text(entry.get("question_text"), "question_text").strip()
    return Answer(
        question=text or f"question {as_id(entry.get('question_id'), 'question_id')}",
        type=_OF_WEBHOOKS.get(kind, kind),
        texts=_texts(entry.get("answers")),
    )


def _texts(value: Any) -> tuple[str, ...]:
    """One text, or several of a question with several options; empty ones are no answer."""
    values = value if isinstance(value, list) else [value]
    return tuple(text for one in values if (text := as_text(one, "answer")).strip())


def _response(survey_id: str, row: Object, answers: Sequence[Answer]) -> Response:
    scored = _of_types(answers, "nps") or _of_types(answers, *RATINGS)
    comment, commented = _comment(answers, scored)
    mailed = _of_types(answers, "email")
    attributes = _attributes(row.get("user_attributes"))
    who = {"email": "", "user_id": ""}
    who |= {n.casefold(): as_text(v, n) for n, v in attributes.items() if n.casefold() in who}
    address = _first(text for answer in mailed for text in answer.texts) or who["email"]
    taken = [*scored[:1], *mailed[:1], *([commented] if commented else [])]
    page = {"page": row.get("response_origin_url")}
    about = {name: row.get(name) for name in _COLUMNS} | page
    about |= {"sentiment": commented.sentiment if commented else ""}
    properties = {name: value for name, value in about.items() if value}
    properties |= {n: v for n, v in attributes.items() if n.casefold() not in who}
    return Response(
        record=as_id(row.get("id"), "id"),
        survey_ref=survey_id,
        score=whole_score(_first(scored[0].texts) if scored else None, "score"),
        comment=comment,
        respondent=Respondent(
            email=clean_email(address), external_id=who["user_id"].strip() or None
        ),
        answered_at=read_time(row.get("created_time"), "UTC", "created_time"),
        complete=row.get("is_complete") is not False,
        properties=as_scalars(properties | _further(answers, taken)),
        tags=tuple(dict.fromkeys(tag for answer in answers for tag in answer.tags if tag)),
        link=read_link(as_text(row.get("recording_url"), "recording_url")),
    )


def _of_types(answers: Sequence[Answer], *types: str) -> list[Answer]:
    return [answer for answer in answers if answer.type in types]


def _comment(answers: Sequence[Answer], scored: Sequence[Answer]) -> tuple[str, Answer | None]:
    """The first long text, else what stands beside the score or another choice, else a short
    text; and the answer whose own text it is."""
    for kind in ("long-text", "short-text"):
        if kind == "short-text" and (beside := _first(a.comment for a in [*scored, *answers])):
            return beside, None
        for answer in _of_types(answers, kind):
            if answer.texts:
                return answer.texts[0], answer
    return "", None


def _attributes(value: Any) -> dict[str, Any]:
    """A list of `{name, value}` in REST, an object in webhooks."""
    if not isinstance(value, list):
        return as_object(value, "user_attributes")
    pairs = [as_object(entry, "user_attributes") for entry in value]
    return {as_text(pair.get("name"), "user_attributes.name"): pair.get("value") for pair in pairs}


def _further(answers: Sequence[Answer], taken: Sequence[Answer]) -> dict[str, str]:
    """The other answers under the text of their question."""
    found: dict[str, str] = {}
    for answer in answers:
        text = ", ".join(answer.texts)
        if any(answer is one for one in taken) or not text:
            continue
        name, number = answer.question, 2
        while name in found:
            name, number = f"{answer.question} ({number})", number + 1
        found[name] = f"{text} ({answer.comment})" if answer.comment else text
    return found


def _first(texts: Iterable[str]) -> str:
    return next((text for text in texts if text.strip()), "")
