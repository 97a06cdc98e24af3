"""YAML that remembers where each value stands, and faults said in words."""

from __future__ import annotations

import contextlib
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, SecretStr, field_validator

from connector.documents import read, validate
from connector.domain import Value
from connector.errors import Invalid


def faults(text: str) -> list[str]:
    with pytest.raises(Invalid) as caught:
        read(text, "f.yaml")
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("NO", "NO"),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("12:30:00", "12:30:00"),
        ("2026-03-01", "2026-03-01"),
        ("1_000", "1_000"),
        ("-4", -4),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("1e999", "1e999"),
        (".nan", ".nan"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("'010'", "010"),
        ('"true"', "true"),
        ("9" * 40, "9" * 40),
    ],
)
def test_values_are_those_of_the_core_schema(written: str, meant: object) -> None:
    value = read(f"key: {written}", "f.yaml").data["key"]
    assert (value, type(value)) == (meant, type(meant))


def test_keys_are_always_text() -> None:
    assert read("7: a\nNO: b\ntrue: c", "f.yaml").data == {"7": "a", "NO": "b", "true": "c"}


def test_an_empty_file_is_nothing() -> None:
    assert read("", "f.yaml").data is None
    assert read("# only a comment\n", "f.yaml").data is None


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm() -> None:
    document = read("\ufeffa: 1\r\nb:\r\n  - c: 2\r\n", "f.yaml")
    assert document.data == {"a": 1, "b": [{"c": 2}]}
    assert document.place("b", 0, "c") == (3, 8)


def test_places_are_those_of_values_else_of_keys_else_of_the_nearest_parent() -> None:
    document = read("rules:\n  - id: x\n    when:\n      score: 9\n    empty:\n", "f.yaml")
    assert document.place("rules", 0, "when", "score") == (4, 14)
    assert document.key_place("rules", 0, "when", "score") == (4, 7)
    assert document.place("rules", 0, "when") == (3, 5)
    assert document.place("rules", 0, "empty") == (5, 5)
    assert document.place("rules", 0) == (2, 5)
    assert document.place("rules", 0, "when", "nothing", "here") == (3, 5)
    assert document.place("nothing") == (1, 1)


def test_a_reference_points_at_the_text_it_refers_to() -> None:
    document = read("words: &w\n  - a\n  - b\nrule: *w\n", "f.yaml")
    assert document.data == {"words": ["a", "b"], "rule": ["a", "b"]}
    assert document.place("rule", 1) == (3, 5)


def test_lines_inside_a_text_are_lines_of_the_file() -> None:
    document = read('a: "one"\nb: |\n  first\n  second\n', "f.yaml")
    assert document.line_inside(1, "a") == 1
    assert document.line_inside(2, "b") == 4
    assert document.line_inside(3, "nothing") == 1


TRAPS = {
    "score: >= 9": "f.yaml:1:8: '>= 9' is not a comparison here (write {at_least: 9})",
    "score: > 9": "f.yaml:1:8: '> 9' is not a comparison here (write {at_least: 10})",
    "a: >refund": "f.yaml:1:4: a value that starts with '>' has to be in quotes "
    '(write ">refund")',
    "comment: *refund": "f.yaml:1:10: a value that starts with '*' has to be in quotes "
    '(write "*refund")',
    "- '@cx'\n- @cx": "f.yaml:2:3: a value that starts with '@' has to be in quotes "
    '(write "@cx")',
    "a: %5": "f.yaml:1:4: a value that starts with '%' has to be in quotes (write \"%5\")",
    "a: `x`": "f.yaml:1:4: a value that starts with '`' has to be in quotes (write \"`x`\")",
    "a: !important": "f.yaml:1:4: a value that starts with '!' has to be in quotes",
    "keyword: refund: now": "f.yaml:1:10: a value that holds ': ' has to be in quotes "
    '(write "refund: now")',
    "subject: {{ score }}": "f.yaml:1:10: a value that starts with '{{' has to be in quotes "
    '(write "{{ … }}")',
    "a: {subject: NPS {{ score }}}": "f.yaml:1:18: a value that holds '{{ … }}' has to be in "
    'quotes (write "… {{ … }} …")',
    "channel: #alerts": "f.yaml:1:10: '#alerts' is read as a comment (put the whole value in "
    "quotes; write '# ' with a space for a comment)",
    "a:\n\tb: 1": "f.yaml:2:1: a tab is used for indentation (use spaces)",
    "a: [1, 2\nb: 3": "f.yaml:1:4: the '[' that is opened here is not closed properly "
    "(look for a missing ']' or a missing comma)",
    "a: {b: 1": "f.yaml:1:4: the '{' that is opened here is not closed properly "
    "(look for a missing '}' or a missing comma)",
    "a: [b]]": "f.yaml:1:7: a bracket is closed here that was never opened (remove it)",
    "a: 'x\nb: 3": "f.yaml:1:4: a quotation mark is opened here and never closed (close it)",
    'a: "x" y': "f.yaml:1:8: text follows after the closing quotation mark "
    "(put all of it in quotes)",
    'a: "c:\\new\\q"': "f.yaml:1:12: a backslash is not allowed here in double quotes "
    "(use single quotes)",
    "a: 1\nb\nc: 2": "f.yaml:2:1: a line without a colon (write 'key: value')",
    "a:\n  - id: x\n   name: y": "f.yaml:3:4: this line is indented differently from the lines "
    "around it (align the keys of a group, and the '-' of a list, in one column)",
    "a: 1\n b: 2": "f.yaml:2:3: this line is indented differently from the lines "
    "around it (align the keys of a group, and the '-' of a list, in one column)",
    "a: 1\nb: 2\na: 3": "f.yaml:3:1: 'a' stands twice here, first in line 1 (keep one of them)",
    "a: 1\n---\nb: 2": "f.yaml:2:1: a second document begins here (remove '---')",
    "? [a]\n: b": "f.yaml:1:3: a key must be plain text",
    "ok: 1\na: \x07": "f.yaml:2:4: a control character is not allowed here (remove it)",
}


@pytest.mark.parametrize(("text", "message"), TRAPS.items())
def test_a_trap_is_explained_in_words(text: str, message: str) -> None:
    assert faults(text) == [message]


def test_all_double_keys_are_told_at_once() -> None:
    text = "a: 1\na: 2\nb:\n  c: 1\n  c: 2\n"
    assert [line.partition(" ")[0] for line in faults(text)] == ["f.yaml:2:1:", "f.yaml:5:3:"]


def test_text_after_a_hash_is_a_warning_where_something_stands_before_it() -> None:
    document = read("note: a #tag\nother: b # a real comment\n", "f.yaml")
    assert document.data == {"note": "a", "other": "b"}
    assert [str(warning) for warning in document.warnings] == [
        "f.yaml:1:9: warning: '#tag' is read as a comment (put the whole value in quotes; "
        "write '# ' with a space for a comment)"
    ]


def test_references_cannot_blow_up() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 6)]
    assert "too many values" in faults("\n".join(lines))[0]


def test_nesting_is_limited() -> None:
    assert "nested too deeply" in faults("[" * 60 + "]" * 60)[0]


def test_a_reference_to_itself_is_refused() -> None:
    assert "has to be in quotes" in faults("a: &a [*a]")[0]


@pytest.mark.parametrize("text", ["api_token: @hunter2", "password: *hunter2", "key: a: hunter2"])
def test_what_may_be_a_secret_is_never_shown(text: str) -> None:
    assert "hunter2" not in faults(text)[0]


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), st.text(alphabet="ab:-[]{}'\"#&*!|>%@`?, \n\t0\\xU")))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    with contextlib.suppress(Invalid):
        assert read(text, "f.yaml").file == "f.yaml"


class Part(Value):
    size: int = Field(ge=1)
    words: str | list[str] = ""
    level: Literal["low", "high"] = "low"


class Whole(Value):
    name: str
    part: Part | None = None
    parts: list[Part] = []
    named: dict[str, Part] = {}
    flag: bool = False
    token: SecretStr = SecretStr("")
    code: str = Field("abc", min_length=3, max_length=5)

    @field_validator("name")
    @classmethod
    def _not_bad(cls, value: str) -> str:
        if value == "bad":
            raise ValueError("must not be bad")
        return value


def problems(text: str, data: Any = ...) -> list[str]:
    value, found = validate(read(text, "f.yaml"), Whole, data)
    assert (value is None) is bool(found)
    return [str(problem) for problem in found]


def test_a_good_document_becomes_the_model() -> None:
    value, found = validate(read("name: x\npart: {size: 2}", "f.yaml"), Whole)
    assert value == Whole(name="x", part=Part(size=2))
    assert found == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: 5", "f.yaml:1:7: name: must be text, not 5 (put it in quotes)"),
        ("name: bad", "f.yaml:1:7: name: must not be bad"),
        ("name: x\nflag: maybe", "f.yaml:2:7: flag: must be true or false, not 'maybe'"),
        ("name: x\ncode: ''", "f.yaml:2:7: code: must be at least 3 characters long"),
        ("name: x\ncode: abcdef", "f.yaml:2:7: code: must be at most 5 characters long, "
         "not 'abcdef'"),
        ("part: {size: 1}", "f.yaml:1:1: 'name' is missing"),
        ("name: x\npart: {size: 0}", "f.yaml:2:14: size: must be at least 1, not 0"),
        ("name: x\npart: {size: nine}", "f.yaml:2:14: size: must be a whole number, not 'nine'"),
        ("name: x\npart: 7", "f.yaml:2:7: part: must be a group of 'key: value' lines, not 7"),
        ("name: x\nparts: 7", "f.yaml:2:8: parts: must be a list, not 7 "
         "(start each line of it with '- ')"),
        ("name: x\nparts:\n  - 7", "f.yaml:3:5: parts: item 1: must be a group of "
         "'key: value' lines, not 7"),
        ("name: x\nparts:\n  - {}", "f.yaml:3:5: 'size' is missing"),
        ("name: x\npatrs: []", "f.yaml:2:1: unknown key 'patrs' (did you mean 'parts'?)"),
        ("name: x\npart: {size: 1, levle: low}", "f.yaml:2:17: unknown key 'levle' "
         "(did you mean 'level'?)"),
        ("name: x\nnamed: {a: {size: 1, zzz: 1}}", "f.yaml:2:22: unknown key 'zzz' "
         "(allowed: level, size, words)"),
        ("name: x\nparts: [{size: 1, level: hgih}]", "f.yaml:2:26: level: 'hgih' is not allowed "
         "(did you mean 'high'?; allowed: low, high)"),
        ("name: x\nparts: [{size: 1, words: [a, 2]}]", "f.yaml:2:30: words: item 2: must be "
         "text, not 2 (put it in quotes)"),
        ("name: x\nparts: [{size: 1, words: {a: b}}]", "f.yaml:2:19: words: must be text or "
         "a list"),
        ("- name", "f.yaml:1:1: must be a group of 'key: value' lines"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_at_its_place(text: str, message: str) -> None:
    assert problems(text) == [message]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    text = "parts:\n  - {size: 0}\n  - {size: 1, sise: 2}\nname: 4\n"
    assert [line.split(" ")[0] for line in problems(text)] == [
        "f.yaml:2:12:",
        "f.yaml:3:15:",
        "f.yaml:4:7:",
    ]


def test_values_that_replace_those_of_the_file_are_never_shown() -> None:
    text = "name: x\npart:\n  size: ${SIZE}\n"
    found = problems(text, {"name": "x", "part": {"size": "hunter2"}})
    assert found == ["f.yaml:3:9: size: must be a whole number, not '${SIZE}'"]


def test_secrets_and_addresses_are_never_shown() -> None:
    text = "name: x\ntoken: 12345\nflag: ana@example.com\n"
    assert problems(text) == [
        "f.yaml:2:8: token: must be text (put it in quotes)",
        "f.yaml:3:7: flag: must be true or false",
    ]


def test_a_part_of_a_document_can_be_validated_at_its_place() -> None:
    document = read("a:\n  b:\n    - {size: 0}\n", "f.yaml")
    _, found = validate(document, Part, at=("a", "b", 0))
    assert str(found[0]) == "f.yaml:3:14: size: must be at least 1, not 0"
