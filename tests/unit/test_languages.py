"""In which language a comment is, told from the comment alone; who else may say it comes first."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.domain import History, Response, Survey
from connector.facts import Around, Subject, gather_facts
from connector.languages import base, detect
from connector.rules.model import Ruleset

SPOKEN = frozenset({"en", "es", "it", "pt"})
SPANISH = "Llevo un mes esperando la factura"
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (SPANISH, "es"),
        (SPANISH.upper(), "es"),
        ("Il corriere ha lasciato il pacco dal vicino", "it"),
        ("Fui cobrado duas vezes este mês", "pt"),
        ("My account manager left and nobody told me", "en"),
        ("Genial gracias", None),  # two words
        ("", None),
        ("10 / 10 !!! 😀 😀", None),
        ("https://example.com/es/ayuda ana@example.com 123", None),
        ("Der Versand war sehr langsam und teuer", None),  # none of ours
        ("\x00\ufffd" * 500, None),
    ],
)
def test_a_language_is_told_or_left_open(text: str, language: str | None) -> None:
    assert detect(text, SPOKEN) == language


def test_with_one_language_there_is_nothing_to_tell() -> None:
    assert detect(SPANISH, {"es"}) is None


def test_only_the_beginning_of_a_long_text_is_looked_at() -> None:
    assert detect(f"{SPANISH} " * 50_000, SPOKEN) == "es"


def test_no_connection_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*args: Any) -> None:
        raise AssertionError("offline means offline")

    monkeypatch.setattr(socket.socket, "connect", refused)
    assert detect("Ho aspettato tre settimane per il rimborso", SPOKEN) == "it"


@pytest.mark.parametrize(
    ("tag", "language"), [("pt-BR", "pt"), ("es_mx", "es"), ("nb", "no"), ("EN", "en"), ("", "")]
)
def test_the_language_of_a_tag(tag: str, language: str) -> None:
    assert base(tag) == language


def facts(
    comment: str,
    *,
    told: str | None = None,
    customers: str | None = None,
    surveys: str | None = "en",
    spoken: frozenset[str] = SPOKEN,
) -> tuple[str, str | None]:
    """The language of the facts, and who said so."""
    content, survey = Response(record="1", comment=comment, language=told), Survey(id="nps")
    subject = Subject(
        response="r1",
        revision=1,
        source="app",
        survey=survey.model_copy(update={"language": surveys}),
        content=content,
        customer=None,
        stranger=False,
        answered_at=None,
        decided=False,
    )
    known = {"language": customers} if customers else {}
    around = Around(NOW, NOW, {}, Ruleset("", (), (), {}), spoken)
    found = gather_facts(subject, known, {}, History(), around)
    return found.language, found.language_from


def test_who_says_in_which_language_an_answer_is() -> None:
    assert facts(SPANISH, told="pt-BR", customers="it") == ("pt-br", "source")
    assert facts(SPANISH, customers="it") == ("it", "customer")
    assert facts(SPANISH) == ("es", "detected")
    assert facts("Genial gracias") == ("en", "survey")
    assert facts("", surveys=None) == ("en", "survey")
    assert facts(SPANISH, surveys=None) == ("es", "detected")


def test_a_comment_in_the_surveys_own_language_keeps_its_region() -> None:
    assert facts(SPANISH, surveys="es-MX") == ("es-mx", "survey")


def test_who_does_not_want_it_gets_the_surveys_language() -> None:
    assert facts(SPANISH, spoken=frozenset()) == ("en", "survey")
