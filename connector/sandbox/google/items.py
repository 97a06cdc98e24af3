"""Items of a Google form as the Forms API shows them, for seeding.

Google leaves out whatever has its default value: a scale from 0 has no `low`, an optional
question no `required`. https://developers.google.com/workspace/forms/api/reference/rest/v1/forms
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Item = dict[str, Any]


def scale(question_id: str, title: str, *, low: int = 0, high: int = 10) -> Item:
    """A linear scale; the NPS question is one from 0 to 10."""
    return _question(question_id, title, scaleQuestion={"low": low, "high": high})


def rating(question_id: str, title: str, *, level: int = 5, icon: str = "STAR") -> Item:
    """Stars, hearts or thumbs."""
    shape = {"ratingScaleLevel": level, "iconType": icon}
    return _question(question_id, title, ratingQuestion=shape)


def text(question_id: str, title: str, *, paragraph: bool = True) -> Item:
    return _question(question_id, title, textQuestion={"paragraph": paragraph})


def choice(
    question_id: str,
    title: str,
    options: Iterable[str],
    *,
    kind: str = "RADIO",
    other: bool = False,
) -> Item:
    """`kind`: RADIO, CHECKBOX or DROP_DOWN. `other` adds the option with a free text."""
    rows: list[Item] = [{"value": option} for option in options]
    if other:
        rows.append({"isOther": True})
    return _question(question_id, title, choiceQuestion={"type": kind, "options": rows})


def grid(title: str, rows: dict[str, str], columns: Iterable[str]) -> Item:
    """`rows`: question id -> row title. Each row is a question of its own."""
    questions = [{"questionId": id, "rowQuestion": {"title": row}} for id, row in rows.items()]
    options = {"type": "RADIO", "options": [{"value": column} for column in columns]}
    return {
        "title": title,
        "questionGroupItem": {"questions": questions, "grid": {"columns": options}},
    }


def page_break(title: str) -> Item:
    return {"title": title, "pageBreakItem": {}}


def question_ids(items: Iterable[Item]) -> list[str]:
    """The id of every question, those of grid rows too."""
    found: list[str] = []
    for item in items:
        if "questionItem" in item:
            found.append(item["questionItem"]["question"]["questionId"])
        found += [q["questionId"] for q in item.get("questionGroupItem", {}).get("questions", [])]
    return found


def without_defaults(value: Any) -> Any:
    """What Google's JSON keeps: no zero, no false, no empty text or list; empty objects stay."""
    if isinstance(value, dict):
        kept = {key: without_defaults(one) for key, one in value.items()}
        return {key: one for key, one in kept.items() if one or isinstance(one, dict)}
    if isinstance(value, list):
        return [without_defaults(one) for one in value]
    return value


def _question(question_id: str, title: str, **shape: Item) -> Item:
    return {"title": title, "questionItem": {"question": {"questionId": question_id, **shape}}}
