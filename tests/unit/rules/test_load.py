"""Files and their hash."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.errors import Invalid
from connector.rules.files import read_directory
from connector.rules.load import load
from connector.rules.model import RulesetText, Vocabulary


def test_the_hash_follows_every_name_and_text() -> None:
    texts = [
        {"rules.yaml": "a"},
        {"rules.yaml": "b"},
        {"rules.yaml": "a", "templates/x/en.txt": ""},
        {"rules.yaml": "a", "templates/x/es.txt": ""},
        {"rules.yamla": ""},
    ]
    hashes = [RulesetText(files).hash for files in texts]
    assert len(set(hashes)) == len(texts)
    assert all(len(each) == 64 for each in hashes)


def test_the_hash_does_not_follow_the_order() -> None:
    assert RulesetText({"a": "1", "b": "2"}).hash == RulesetText({"b": "2", "a": "1"}).hash


def test_a_ruleset_carries_the_hash_of_its_text(vocabulary: Vocabulary) -> None:
    text = RulesetText({"rules.yaml": "rules: []"})
    loaded = load(text, vocabulary)
    assert loaded.ruleset
    assert loaded.ruleset.hash == text.hash


def test_a_missing_rules_file_is_a_problem(vocabulary: Vocabulary) -> None:
    loaded = load(RulesetText({}), vocabulary)
    assert loaded.ruleset is None
    assert [str(problem) for problem in loaded.problems] == ["rules.yaml: the file is missing"]


def test_a_directory_is_read_with_its_mail_templates_and_nothing_else(tmp_path: Path) -> None:
    mails = tmp_path / "mails"
    for name in ("thanks/en.txt", "thanks/en.html", "thanks/.en.txt", "thanks/README.md", "x.txt"):
        path = mails / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, "utf-8")
    (tmp_path / "my-rules.yaml").write_text("rules: []\n# ñ", "utf-8")
    text = read_directory(tmp_path / "my-rules.yaml", mails)
    assert text.files == {
        "rules.yaml": "rules: []\n# ñ",
        "templates/thanks/en.html": "thanks/en.html",
        "templates/thanks/en.txt": "thanks/en.txt",
    }


def test_without_templates_the_rules_stand_alone(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("rules: []", "utf-8")
    assert list(read_directory(tmp_path / "rules.yaml", tmp_path / "none").files) == ["rules.yaml"]


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"rules\.yaml: cannot be read: No such file"):
        read_directory(tmp_path / "rules.yaml", tmp_path)
    (tmp_path / "rules.yaml").write_bytes(b"rules: []\n# caf\xe9")
    with pytest.raises(Invalid, match=r":2:1: a character here is not UTF-8 \(save the file"):
        read_directory(tmp_path / "rules.yaml", tmp_path)
    (tmp_path / "rules.yaml").write_bytes(b"#" * 1_000_001)
    with pytest.raises(Invalid, match="is too large"):
        read_directory(tmp_path / "rules.yaml", tmp_path)
