"""One response of a Google form, as a poll stores it, becomes one of ours.

https://developers.google.com/workspace/forms/api/reference/rest/v1/forms.responses
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from connector.domain import Respondent, Response, Scalar
from connector.errors import Unreadable
from connector.sources.form_questions import Chosen
from connector.sources.reading import as_id, as_list, as_object, as_text, read_time, whole_score
from connector.text import clean_email


def from_record(record: Mapping[str, Any], form_id: str) -> Response:
    """`{"response": row, "questions": which is which, "titles": id -> title}`.

    Raises:
        Unreadable: with a sentence that names the field.
    """
    row = as_object(record.get("response"), "response")
    titles = as_object(record.get("titles"), "titles")
    return from_row(row, form_id, _chosen(record.get("questions")), titles)


def from_row(
    row: Mapping[str, Any], form_id: str, chosen: Chosen, titles: Mapping[str, Any]
) -> Response:
    """A row of `responses.list`; Google leaves out what is empty. Raises `Unreadable`."""
    record = as_id(row.get("responseId"), "responseId")
    answers = {
        question: ", ".join(_texts(answer))
        for question, answer in as_object(row.get("answers"), "answers").items()
    }
    scores = [answers[id] for id in (chosen.score, *chosen.former) if id in answers]
    address = as_text(row.get("respondentEmail"), "respondentEmail")
    created_at = read_time(row.get("createTime"), "UTC", "createTime")
    revised_at = read_time(row.get("lastSubmittedTime"), "UTC", "lastSubmittedTime")
    return Response(
        record=record,
        survey_ref=form_id,
        score=whole_score(scores[0] if scores else None, "score"),
        comment=answers.get(chosen.comment or "", ""),
        respondent=Respondent(
            email=clean_email(address or answers.get(chosen.email or "")),
            external_id=answers.get(chosen.external_id or "", "").strip() or None,
        ),
        answered_at=created_at,
        revised_at=revised_at or created_at,
        properties=_named(answers, chosen, titles),
        link=f"https://docs.google.com/forms/d/{form_id}/edit#response={record}",
    )


def _chosen(questions: object) -> Chosen:
    try:
        return Chosen.model_validate(questions)
    except ValidationError:
        raise Unreadable("questions: expected the ids of score and comment") from None


def _texts(answer: Any) -> list[str]:
    """An answer is one text, several (checkboxes), or the names of files."""
    given = as_object(answer, "answers")
    texts = as_object(given.get("textAnswers"), "textAnswers").get("answers")
    files = as_object(given.get("fileUploadAnswers"), "fileUploadAnswers").get("answers")
    return [
        as_text(as_object(entry, "answers").get(key), key)
        for entries, key in ((texts, "value"), (files, "fileName"))
        for entry in as_list(entries, "answers")
    ]


def _named(
    answers: Mapping[str, str], chosen: Chosen, titles: Mapping[str, Any]
) -> dict[str, Scalar]:
    """The other answers under the titles of their questions; a title twice gets its id too."""
    found: dict[str, Scalar] = {}
    for id, text in answers.items():
        if id in (chosen.score, *chosen.former, chosen.comment, chosen.email):
            continue
        title = as_text(titles.get(id), "titles").strip() or id
        found[f"{title} ({id})" if title in found else title] = text
    return found
