"""connector.yaml: what is understood, and every mistake with its file and line."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from connector import config
from connector.errors import Invalid
from connector.limits import Allowance, Limit

GOOD = """\
store: sqlite:///data/x.db
surveys:
  nps: {language: es}
sources:
  app:
    type: delighted
    api_key: ${KEY}
    survey: nps
    act_within: 3d
sinks:
  desk:
    type: zendesk
    subdomain: acme
    email: a@example.com
    api_token: ${TOKEN}
"""
ENVIRONMENT = {"KEY": "k", "TOKEN": "t"}


def load(tmp_path: Path, text: str, environment: dict[str, str] | None = None, **options: bool):
    file = tmp_path / "connector.yaml"
    file.write_text(text)
    return config.load(file, ENVIRONMENT if environment is None else environment, **options)


def problems(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(Invalid) as caught:
        load(tmp_path, text, environment)
    return [str(problem).removeprefix(f"{tmp_path}/") for problem in caught.value.problems]


def test_a_good_file_becomes_typed_settings(tmp_path):
    settings = load(tmp_path, GOOD)

    assert settings.sources["app"].act_within == timedelta(days=3)
    assert settings.sources["app"].poll_every == timedelta(minutes=1)
    assert settings.surveys["nps"].segment(6) == "detractor"
    assert settings.sinks["desk"].api_token.get_secret_value() == "t"
    assert settings.store == f"sqlite:///{tmp_path}/data/x.db"
    assert settings.rules == tmp_path / "rules.yaml"


def test_a_sink_says_how_much_of_its_account_it_uses(tmp_path):
    assert load(tmp_path, GOOD).sinks["desk"].use_at_most == 0.8
    sink = load(tmp_path, GOOD + "    use_at_most: 50%\n    limit: 100 per 1m\n").sinks["desk"]
    assert (sink.use_at_most, sink.limit) == (0.5, Limit(100, 60))
    assert sink.meter(Allowance(Limit(200, 60))).share == 0.5
    wrong = problems(tmp_path, GOOD + "    use_at_most: 2\n    limit: fast\n")
    assert ["write a share" in wrong[0], "write a limit such as 200 per 1m" in wrong[1]] == [
        True
    ] * 2


def test_no_secret_is_ever_printed(tmp_path):
    secret = {"KEY": "kkkk-secret", "TOKEN": "tttt-secret"}
    printed = repr(load(tmp_path, GOOD, secret))
    assert "kkkk" not in printed
    assert "tttt" not in printed


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("${KEY}", "abc123", "connector.yaml:7:14: 'api_key' is a secret and must not stand"),
        ("${KEY}", "${NOT_THERE}", "connector.yaml:7:14: the environment variable NOT_THERE is"),
        ("type: delighted", "type: delihgted", "did you mean 'delighted'?"),
        ("survey: nps", "survey: npss", "connector.yaml:8:13: survey 'npss' does not exist"),
        ("    survey: nps\n", "", "say which survey its answers belong to"),
        ("act_within: 3d", "act_within: 3 fortnights", "connector.yaml:9:17:"),
        ("act_within: 3d", "act_withn: 3d", "did you mean 'act_within'?"),
        ("surveys:\n", "surveyz:\n", "did you mean 'surveys'?"),
        ("language: es", "low: 5, high: 5", "the lowest score must be below the highest"),
        ("language: es", "promoter_from: 3, passive_from: 7", "thresholds must rise"),
        ("language: es", "promoter_from: null", "give both thresholds, or none"),
        ("subdomain: acme", "subdomain: acme\n    subdomain: b", "connector.yaml:14:"),
        ("sinks:\n", "alarms: {sink: chat, channel: '#x'}\nsinks:\n", "sink 'chat' does not exist"),
        ("sinks:\n", "\tsinks:\n", "tab"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path, old, new, said):
    found = problems(tmp_path, GOOD.replace(old, new))

    assert any(said in line for line in found), found
    assert all(line.startswith("connector.yaml:") for line in found), found


def test_all_mistakes_are_named_at_once(tmp_path):
    text = GOOD.replace("type: zendesk", "type: zendsk").replace("survey: nps", "survey: other")
    found = problems(tmp_path, text, {"TOKEN": "t"})

    assert len(found) == 3, found


def test_a_missing_file_says_how_to_make_one(tmp_path):
    with pytest.raises(Invalid, match="connector init"):
        config.load(tmp_path / "none.yaml")


def test_secrets_come_from_dotenv_files_and_the_environment_which_wins(tmp_path):
    (tmp_path / ".env").write_text("# keys\nexport KEY='from dotenv'\nTOKEN=from dotenv\n")
    (tmp_path / "token").write_text("from file\n")
    settings = load(tmp_path, GOOD, {"TOKEN": "from environment"})
    assert settings.sources["app"].api_key is not None
    assert settings.sinks["desk"].api_token.get_secret_value() == "from environment"

    (tmp_path / ".env").unlink()
    settings = load(tmp_path, GOOD, {"KEY": "k", "TOKEN_FILE": str(tmp_path / "token")})
    assert settings.sinks["desk"].api_token.get_secret_value() == "from file"


def test_without_secrets_a_file_can_still_be_checked(tmp_path):
    assert load(tmp_path, GOOD, {}, secrets=False).sources["app"].survey == "nps"


def test_a_value_may_have_a_default(tmp_path):
    text = GOOD.replace("subdomain: acme", "subdomain: ${SUBDOMAIN:-acme}")
    assert load(tmp_path, text).sinks["desk"].subdomain == "acme"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("${KEY}", "${KEY", "connector.yaml:7:14: a '${' holds no plain name, or is not closed"),
        ("sqlite:///data/x.db", "mysql://host/name", "connector.yaml:1:8: this is no address"),
        ("sqlite:///data/x.db", "${KEY}", "connector.yaml:1:8: this is no address"),
        (
            "sqlite:///data/x.db",
            "postgresql://user:s3cret@host/name",
            "connector.yaml:1:8: the password of the database is a secret",
        ),
        ("language: es", "zone: Europe/Madird", "3:15: time zone 'Europe/Madird' does not exist"),
        (
            "surveys:\n",
            "heartbeat_url: example.com\nsurveys:\n",
            "connector.yaml:2:16: heartbeat_url is no web address",
        ),
        (
            "surveys:\n",
            "receiver: {public_url: nps.example.com}\nsurveys:\n",
            "connector.yaml:2:24: public_url is no web address",
        ),
    ],
)
def test_what_would_only_fail_when_it_runs_is_found_before(tmp_path, old, new, said):
    found = problems(tmp_path, GOOD.replace(old, new))

    assert len(found) == 1, found
    assert said in found[0]
    assert "s3cret" not in found[0]


def test_the_password_of_the_database_may_come_from_outside(tmp_path):
    for address in ("${URL}", "postgresql://user:${KEY}@host/name"):
        text = GOOD.replace("sqlite:///data/x.db", address)
        settings = load(tmp_path, text, {**ENVIRONMENT, "URL": "postgresql://user:p@host/name"})
        assert settings.store.startswith("postgresql://user:")


def test_an_unset_store_is_a_mistake_for_whoever_opens_it(tmp_path):
    text = GOOD.replace("sqlite:///data/x.db", "${URL}")
    with pytest.raises(Invalid, match="URL is not set"):
        load(tmp_path, text, {}, secrets=False)
    assert load(tmp_path, text, {}, secrets=False, store=False)


def test_an_empty_value_is_named_with_its_place(tmp_path):
    (tmp_path / ".env").write_text("KEY=k\n# the token\nTOKEN=\n")
    found = problems(tmp_path, GOOD, {})
    assert [line.partition(" (")[0] for line in found] == [
        "connector.yaml:15:16: TOKEN is empty in " + f"{tmp_path}/.env:3"
    ]
    (tmp_path / "token").touch()
    told = [{"TOKEN": ""}, {"TOKEN_FILE": str(tmp_path / "token")}, {"TOKEN_FILE": "/nowhere"}]
    for outside, said in zip(
        told, ["is empty in", "names is empty", "names cannot be"], strict=True
    ):
        assert said in problems(tmp_path, GOOD, outside)[0]


def test_a_broken_line_of_dotenv_is_named_once_and_not_shown(tmp_path):
    (tmp_path / ".env").write_text('KEY=k\nTOKEN=t\nCERT="first\nsecond part==\nthird"\n')
    (line,) = problems(tmp_path, GOOD, {})
    assert line.startswith(".env:4:1: this line is not NAME=value")
    assert "second" not in line


def test_a_command_that_only_looks_needs_the_store_and_no_adapter(tmp_path):
    file = tmp_path / "connector.yaml"
    file.write_text(GOOD.replace("type: delighted", "type: delihgted"))
    found = config.outline(file, {})
    assert found.store == f"sqlite:///{tmp_path}/data/x.db"
    assert (found.sources, found.sinks) == (("app",), ("desk",))
    file.write_text(GOOD.replace("sqlite:", "mysql:"))
    with pytest.raises(Invalid, match="no address of a database"):
        config.outline(file, {})
