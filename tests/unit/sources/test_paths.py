"""The paths that administrators write to say where things stand in a JSON record."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import Unreadable
from connector.sources.paths import compiled

RECORD: dict[str, Any] = {
    "form": {"token": "t1", "full name": "Ana", "zero": 0, "no": False, "gone": None},
    "answers": [
        {"field": {"ref": "nps", "id": 7}, "number": 0},
        {"field": {"ref": "why"}, "text": "late"},
        "a stray text",
    ],
    "dotted.name": {"a/b": ["x", {"~": "tilde"}]},
    "7": "a name of digits",
    "empty": [],
    "text": "words",
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("form.token", "t1"),
        ("form.full name", "Ana"),
        ("form.zero", 0),
        ("form.no", False),
        ("answers.0.number", 0),
        ("answers.1.text", "late"),
        ("answers[field.ref=nps].number", 0),
        ("answers[field.id=7].number", 0),
        ('answers[field.ref="why"].text', "late"),
        ("/dotted.name/a~1b/0", "x"),
        ("/dotted.name/a~1b/1/~0", "tilde"),
        ("7", "a name of digits"),
    ],
)
def test_a_path_leads_to_its_value(path: str, value: object) -> None:
    assert compiled(path).find(RECORD) == value


@pytest.mark.parametrize(
    "path",
    [
        "nothing",
        "form.nothing.deeper",
        "form.gone.deeper",
        "answers.9.number",
        "answers[field.ref=other].number",
        "answers[field.ref.deeper=nps].number",
        "empty.anything",
        "/answers/9",
    ],
)
def test_a_path_to_something_absent_leads_to_nothing(path: str) -> None:
    assert compiled(path).find(RECORD) is None


@pytest.mark.parametrize(
    "path", ["text.deeper", "answers.first", "form.zero.deeper", "form[a=b].c"]
)
def test_a_record_of_another_shape_is_unreadable_and_its_values_stay_out_of_the_sentence(
    path: str,
) -> None:
    with pytest.raises(Unreadable) as raised:
        compiled(path).find(RECORD)
    assert path in str(raised.value)
    assert "words" not in str(raised.value)


def test_a_selector_that_fits_two_items_is_never_guessed() -> None:
    record = {"answers": [{"type": "scale", "number": 1}, {"type": "scale", "number": 9}]}
    with pytest.raises(Unreadable, match="fits 2 items"):
        compiled("answers[type=scale].number").find(record)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("a..b", "at character 3"),
        ("a.", "at the end"),
        (".a", "at character 1"),
        ("a[", "at character 2"),
        ("a[x]", "at character 2"),
        ("a[b=c", "at character 2"),
        ("a[b=c]d", "at character 7"),
        ("a b ", "at character 4"),
    ],
)
def test_an_unclear_path_is_refused_with_the_place_and_an_example(path: str, place: str) -> None:
    with pytest.raises(ValueError, match="is not clear") as raised:
        compiled(path)
    assert place in str(raised.value)


@pytest.mark.parametrize("path", ["", "   ", "x" * 301])
def test_an_empty_or_endless_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="write a path such as"):
        compiled(path)


def test_a_pointer_with_a_loose_tilde_is_refused() -> None:
    with pytest.raises(ValueError, match="~0 for ~"):
        compiled("/a~2b")


@given(
    st.text(alphabet='ab.[]="/~0 ', max_size=20),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
        max_leaves=10,
    ),
)
def test_any_path_on_any_record_finds_something_or_says_why_not(path: str, record: object) -> None:
    try:
        found = compiled(path)
    except ValueError:
        return
    with contextlib.suppress(Unreadable):
        found.find(record)
