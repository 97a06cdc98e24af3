"""Regular expressions of rule authors can be slow only in theory."""

from __future__ import annotations

import re
import time

import pytest

from connector.rules.patterns import SEARCHED, expression
from connector.rules.words import Finder, Word


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a*)*b",
        "(a|aa)+$",
        "(a|a)*b",
        "(.*a){12}",
        ".*a.*b",
        r"\w+\s*\w+$",
        r"(\d+,?)+x",
        "(?:a?){30}a{30}",
        "(?=(a+)+)b",
        "(?>(a+)+)b",
        "a{0,3000}b{0,3000}",
        "((a{0,9}){0,9}){0,9}b",
    ],
)
def test_patterns_with_too_many_ways_through_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="could become slow"):
        expression(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "refund",
        r"order\s*#?\d{4,8}",
        r"https?://\S+",
        "refund.{0,50}money",
        r"\b(iban|swift)\b",
        "^no+$",
        r"[a-z]{2}\d{7}",
        "(colou?r|gr[ae]y)",
        "(?i:x)y",
        "a{5000}",
    ],
)
def test_useful_patterns_are_taken(pattern: str) -> None:
    assert isinstance(expression(pattern), re.Pattern)


@pytest.mark.parametrize("pattern", ["(a)\\1", "(?P<x>a)(?P=x)", "(a)?(?(1)b|c)"])
def test_references_to_groups_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="refer back"):
        expression(pattern)


@pytest.mark.parametrize("pattern", ["", "(", "x" * 201, "*a", "a{2,1}", "[z-a]"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"must|not a regular expression"):
        expression(pattern)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("a+b", "a" * SEARCHED),
        (".{0,60}x.{0,60}y", "x" * SEARCHED),
        ("a{0,150}a{0,150}b", "a" * SEARCHED),
    ],
)
def test_the_slowest_pattern_that_is_taken_is_quick(pattern: str, text: str) -> None:
    compiled = expression(pattern)
    started = time.process_time()
    compiled.search(text)
    assert time.process_time() - started < 4


def test_a_long_comment_full_of_near_misses_is_searched_quickly() -> None:
    words = [Word(f"word{number} again") for number in range(100)]
    finder = Finder(words)
    text = "word1 agai " * 10_000
    started = time.process_time()
    assert not any(word.is_in(text) for word in words)
    assert not finder.find(text)
    assert time.process_time() - started < 2
