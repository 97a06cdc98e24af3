"""Which question of a Google form is the score, which the comment. Nothing is guessed.

Answers are keyed by `questionId`; the human title stands on the item or on the row of a grid.
Google leaves out default values: a scale from 0 has no `low`.
https://developers.google.com/workspace/forms/api/reference/rest/v1/forms
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connector.domain import Value
from connector.errors import Paused
from connector.sources.reading import as_list, as_object, as_text
from connector.text import one_line

_ZERO_TO_TEN = frozenset(str(number) for number in range(11))


class Question(Value):
    id: str
    title: str
    kind: str  # "scale 0-10", "rating 1-5", "choice 0-10", "choice", "paragraph", "text", "other"

    @property
    def zero_to_ten(self) -> bool:
        return self.kind in ("scale 0-10", "choice 0-10")

    def __str__(self) -> str:
        return f"{self.id} ('{one_line(self.title, 60)}', {self.kind})"


class Wanted(Value):
    """Ids that an administrator wrote into the settings."""

    score_question: str | None = None
    comment_question: str | None = None
    email_question: str | None = None
    external_id_question: str | None = None


class Chosen(Value):
    """The ids of the questions that matter. They stay pinned in the cursor, so that a question
    added to the form later changes nothing, and go into every record. `former` holds score
    questions that were replaced in the form: earlier answers still answer those."""

    score: str
    former: tuple[str, ...] = ()
    comment: str | None = None
    email: str | None = None
    external_id: str | None = None


def questions_of(form: dict[str, Any]) -> list[Question]:
    """Every question of a form in its order, those of grids too."""
    return [question for item in as_list(form.get("items"), "items") for question in _of(item)]


def _of(item: Any) -> Iterator[Question]:
    about = as_object(item, "items")
    title = as_text(about.get("title"), "title")
    if "questionItem" in about:
        asked = as_object(as_object(about["questionItem"], "questionItem").get("question"), "item")
        yield Question(id=_id(asked), title=title, kind=_kind(asked))
    group = as_object(about.get("questionGroupItem"), "questionGroupItem")
    for entry in as_list(group.get("questions"), "questions"):
        asked = as_object(entry, "questions")
        row = as_text(as_object(asked.get("rowQuestion"), "rowQuestion").get("title"), "title")
        yield Question(id=_id(asked), title=f"{title}: {row}" if title else row, kind="other")


def _id(asked: dict[str, Any]) -> str:
    return as_text(asked.get("questionId"), "questionId")


def _kind(asked: dict[str, Any]) -> str:
    if "scaleQuestion" in asked:
        scale = as_object(asked["scaleQuestion"], "scaleQuestion")
        return f"scale {scale.get('low', 0)}-{scale.get('high', 0)}"
    if "ratingQuestion" in asked:
        rating = as_object(asked["ratingQuestion"], "ratingQuestion")
        return f"rating 1-{rating.get('ratingScaleLevel', 0)}"
    if "choiceQuestion" in asked:
        choice = as_object(asked["choiceQuestion"], "choiceQuestion")
        options = [as_object(o, "options") for o in as_list(choice.get("options"), "options")]
        values = [as_text(option.get("value"), "value").strip() for option in options]
        of_numbers = len(values) == len(_ZERO_TO_TEN) and set(values) == _ZERO_TO_TEN
        return "choice 0-10" if of_numbers and choice.get("type") != "CHECKBOX" else "choice"
    if "textQuestion" in asked:
        text = as_object(asked["textQuestion"], "textQuestion")
        return "paragraph" if text.get("paragraph") else "text"
    return "other"


def choose(questions: list[Question], wanted: Wanted, pinned: Chosen | None = None) -> Chosen:
    """The questions that the settings name; else those pinned, while they are in the form; else
    the only 0-10 question, and the text question that follows it, a paragraph before a line.

    Raises:
        Paused: when a named question is not in the form, or when the score is not clear; the text
            lists the candidates.
    """
    known = {question.id for question in questions}
    for setting in Wanted.model_fields:
        named = getattr(wanted, setting)
        if named and named not in known:
            raise Paused(f"the form has no question {named}; correct {setting} of this source")
    kept = [pinned.score, pinned.comment] if pinned else [None, None]
    still = [one if one in known else None for one in kept]
    score = wanted.score_question or still[0] or _only_zero_to_ten(questions)
    taken = {score, wanted.email_question, wanted.external_id_question}
    earlier = (pinned.score, *pinned.former) if pinned else ()
    return Chosen(
        score=score,
        former=tuple(one for one in earlier if one != score),
        comment=wanted.comment_question or still[1] or _following_text(questions, score, taken),
        email=wanted.email_question,
        external_id=wanted.external_id_question,
    )


def _only_zero_to_ten(questions: list[Question]) -> str:
    fitting = [question for question in questions if question.zero_to_ten]
    if len(fitting) == 1:
        return fitting[0].id
    if fitting:
        listed = "; ".join(str(question) for question in fitting)
        raise Paused(
            f"the form has {len(fitting)} questions from 0 to 10; "
            f"write the id of the score as score_question of this source: {listed}"
        )
    numeric = [q for q in questions if q.kind.startswith(("scale", "rating", "choice"))]
    listed = "; ".join(str(question) for question in numeric) or "none has a scale"
    raise Paused(
        "the form has no question from 0 to 10; "
        f"write the id of the score as score_question of this source: {listed}"
    )


def _following_text(questions: list[Question], score: str, taken: set[str | None]) -> str | None:
    ids = [question.id for question in questions]
    after = [q for q in questions[ids.index(score) + 1 :] if q.id not in taken]
    for kind in ("paragraph", "text"):
        if found := next((question.id for question in after if question.kind == kind), None):
            return found
    return None
