"""Small helpers whose edges many rooms rely on."""

from __future__ import annotations

import unicodedata
from datetime import timedelta

import pytest

from connector import text
from connector.domain import Survey


@pytest.mark.parametrize(
    ("written", "span"),
    [
        ("90s", timedelta(seconds=90)),
        ("4h", timedelta(hours=4)),
        ("1h 30m", timedelta(minutes=90)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(days=14)),
        (0, timedelta(0)),
        ("0", timedelta(0)),
    ],
)
def test_durations_are_read(written, span):
    assert text.parse_duration(written) == span


@pytest.mark.parametrize("written", ["", "4", "h", "4 hours later", "-4h", 5, None, True, "4h!"])
def test_what_is_no_duration_is_refused(written):
    with pytest.raises(ValueError, match="write a duration"):
        text.parse_duration(written)


@pytest.mark.parametrize(
    ("span", "said"),
    [(timedelta(hours=4), "4 h"), (timedelta(days=2), "2 d"), (timedelta(seconds=90), "90 s")],
)
def test_durations_are_said(span, said):
    assert text.describe_duration(span) == said


@pytest.mark.parametrize(
    ("given", "cleaned"),
    [
        (" Ana@Example.COM ", "ana@example.com"),
        ("ana+nps@example.com", "ana+nps@example.com"),
        ("a.b@example.com", "a.b@example.com"),
        ("nobody", None),
        ("@example.com", None),
        ("ana@", None),
        ("ana@example.com\nBcc: x@example.com", None),
        ("", None),
        (None, None),
    ],
)
def test_addresses_are_cleaned_and_never_folded(given, cleaned):
    assert text.clean_email(given) == cleaned


@pytest.mark.parametrize(
    ("given", "cleaned"),
    [
        ("+34 600 123 123", "+34600123123"),
        ("0034 600-123-123", "+34600123123"),
        ("600 123 123", "600123123"),
        ("12", None),
        ("call me", None),
        (None, None),
    ],
)
def test_phones_are_cleaned(given, cleaned):
    assert text.clean_phone(given) == cleaned


def test_one_line_is_fit_for_a_header():
    assert text.one_line("a\r\nBcc: x\x00\t b") == "a Bcc: x b"
    assert text.one_line("x" * 300) == "x" * 199 + "…"


def test_folding_finds_words_without_accents_and_case():
    assert text.fold("DEVOLUCIÓN") == text.fold("devolucion")


def test_every_character_is_folded_by_the_one_definition():
    def defined(written):
        plain = unicodedata.normalize("NFKD", written.casefold())
        return "".join(c for c in plain if not unicodedata.combining(c))

    whole = [f"É{chr(code)}\u0301n" for code in range(0x12000)]
    assert [w for w in whole if text.fold(w) != defined(w)] == []


def test_what_a_database_refuses_is_taken_out_and_the_rest_stays():
    assert text.storable("a\x00b🙂\ud800") == "ab🙂?"


@pytest.mark.parametrize(
    ("score", "segment"),
    [
        (None, None),
        (0, "detractor"),
        (6, "detractor"),
        (7, "passive"),
        (8, "passive"),
        (9, "promoter"),
    ],
)
def test_a_score_becomes_a_segment_in_one_place(score, segment):
    assert Survey(id="nps").segment(score) == segment
