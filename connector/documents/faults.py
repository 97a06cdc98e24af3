"""The parser's complaints in words that a person who has never read the YAML grammar can use."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ruamel.yaml.error import MarkedYAMLError

from connector.text import one_line

Explained = tuple[tuple[int, int], str, str]  # place, what is wrong, what to do

_STARTS_BADLY = re.compile(r"""(\s*(?:-\s+)*(?:[^\s#'"][^:#]*?:\s+)?)([>|@%`&*!].*?)\s*""")
_COMPARISON = re.compile(r">(=?)\s*(-?\d{1,9})")
_COLON_INSIDE = re.compile(r"(\s*(?:-\s+)*[^\s:][^:]*:\s+)\S")
_SECRET = re.compile(r"secret|token|passw|credential|private|auth|(^|_)key$", re.IGNORECASE)
_PLAINLY = (
    ("unknown escape", "a backslash is not allowed here in double quotes", "use single quotes"),
    ("found ']'", "a bracket is closed here that was never opened", "remove it"),
    ("found '}'", "a bracket is closed here that was never opened", "remove it"),
    ("<scalar>", "text follows after the closing quotation mark", "put all of it in quotes"),
    (
        "<block end>",
        "this line is indented differently from the lines around it",
        "align the keys of a group, and the '-' of a list, in one column",
    ),
)


def names_a_secret(key: str) -> bool:
    """Values under such a key are never shown."""
    return bool(_SECRET.search(key))


def quoted(value: str, before: str) -> str:
    """What to write, with the value where it is short and what stands before it names no secret."""
    plain = one_line(value, 60)
    if plain.endswith("…") or names_a_secret(before.strip(" :-")):
        return "put the whole value in quotes"
    return f"write '{plain}'" if '"' in plain else f'write "{plain}"'


def explain(error: MarkedYAMLError, lines: Sequence[str]) -> Explained:
    """Place (line and column, from 1), what is wrong, and what to do."""
    mark = error.problem_mark or error.context_mark
    row, column = (mark.line, mark.column) if mark else (0, 0)
    line = lines[row] if row < len(lines) else ""
    here, problem, context = (row + 1, column + 1), error.problem or "", error.context or ""
    begun = error.context_mark or mark
    opened = (begun.line + 1, begun.column + 1) if begun else here

    before = line[: column + 1]
    if "\t" in before and not before.strip():
        return here, "a tab is used for indentation", "use spaces"
    if "quoted" in context and "end of stream" in problem:
        return opened, "a quotation mark is opened here and never closed", "close it"
    if "could not find expected ':'" in problem:
        return opened, "a line without a colon", "write 'key: value'"
    trap = _bad_start(line, row + 1) or _braces(line, row + 1, context)
    if trap:
        return trap
    if "flow" in context:
        bracket, closing = "[]" if "sequence" in context else "{}"
        message = f"the '{bracket}' that is opened here is not closed properly"
        return opened, message, f"look for a missing '{closing}' or a missing comma"
    if "mapping values are not allowed" in problem:
        return _second_colon(line, here)
    for needle, message, hint in _PLAINLY:
        if needle in problem:
            return here, message, hint
    return here, "this is not readable as YAML", one_line(problem, 80)


def _bad_start(line: str, number: int) -> Explained | None:
    found = _STARTS_BADLY.fullmatch(line)
    if not found:
        return None
    before, value = found.groups()
    place = (number, len(before) + 1)
    comparison = _COMPARISON.fullmatch(value)
    if comparison:
        lowest = int(comparison[2]) + (0 if comparison[1] else 1)
        return place, f"'{value}' is not a comparison here", f"write {{at_least: {lowest}}}"
    if value[0] in "@%`*!" or len(value) > 1:
        message = f"a value that starts with '{value[0]}' has to be in quotes"
        return place, message, quoted(value, before)
    return None


def _braces(line: str, number: int, context: str) -> Explained | None:
    if "flow" not in context or "{{" not in line:
        return None
    place = (number, line.index("{{") + 1)
    return place, "a value that holds '{{ … }}' has to be in quotes", 'write "… {{ … }} …"'


def _second_colon(line: str, here: tuple[int, int]) -> Explained:
    found = _COLON_INSIDE.match(line[: here[1] - 1])
    if not found:
        return (here, *_PLAINLY[-1][1:])
    before, value = found[1], line[len(found[1]) :]
    place = (here[0], len(before) + 1)
    return place, "a value that holds ': ' has to be in quotes", quoted(value.strip(), before)
