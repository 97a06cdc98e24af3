"""Settings, parameters, and what `connector doctor` says."""

import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from connector.domain import Receipt
from connector.errors import Paused, Refused, TryLater
from connector.sandbox.zendesk import Zendesk
from connector.sinks import load
from connector.sinks.zendesk import ZendeskTicket
from tests.unit.sinks.zendesk.talk import COMMENT, NOW, Make, order, prepare, writes


def test_the_registry_knows_the_kind() -> None:
    adapter = load("zendesk.ticket")
    assert adapter.__name__ == ZendeskTicket.__name__
    assert (adapter.kind, adapter.type) == ("zendesk.ticket", "zendesk")


def test_zenpy_is_loaded_only_when_it_is_used() -> None:
    check = "import sys, connector.sinks.zendesk; sys.exit('zenpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_the_account_is_the_subdomain(make: Make) -> None:
    assert make(subdomain="Acme").account == "zendesk:acme"


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"email": "agent@example.com"},
        {"api_token": "t"},
        {"email": "agent@example.com", "api_token": "t", "oauth_token": "o"},
        {"oauth_token": "o", "subdomain": "acme.zendesk.com"},
        {"oauth_token": "o", "subdomain": "evil.example/"},
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ZendeskTicket.Settings(**({"type": "zendesk", "subdomain": "acme"} | settings))


def test_secrets_do_not_show_in_settings() -> None:
    made = ZendeskTicket.Settings(subdomain="acme", oauth_token=SecretStr("very-secret"))
    assert "very-secret" not in repr(made)


def test_an_oauth_token_is_sent_as_bearer(zendesk: Zendesk, make: Make) -> None:
    sink = make(email=None, api_token=None, oauth_token="oauth-1")
    with pytest.raises(Paused):
        sink.prepare([order({"group": "Support"})], NOW)
    assert zendesk.calls("GET")[0].headers["authorization"] == "Bearer oauth-1"


@pytest.mark.parametrize(
    "params", [{"priority": "asap"}, {"colour": "red"}, {"type": "epic"}, {"fields": [1]}]
)
def test_a_rule_may_write_only_what_zendesk_knows(params: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ZendeskTicket.Params(**params)


def test_parameters_of_another_version_park_the_action_by_name(sink: ZendeskTicket) -> None:
    [error] = sink.prepare([order({"colour": COMMENT})], NOW)
    assert isinstance(error, Refused)
    assert "colour" in str(error)
    assert COMMENT not in str(error)


@pytest.mark.parametrize("stored", ["14400s", timedelta(hours=4), None])
def test_the_time_to_respond_is_read_as_it_was_stored(sink: ZendeskTicket, stored: object) -> None:
    prepare(sink, order({"respond_within": stored}))


def test_check_says_who_is_signed_in(zendesk: Zendesk, make: Make) -> None:
    [finding] = make(group="Support").check(NOW)
    assert finding.ok
    assert writes(zendesk) == []


def test_check_names_a_default_group_that_does_not_exist(make: Make) -> None:
    good, bad = make(group="Suport").check(NOW)
    assert (good.ok, bad.ok) == (True, False)
    assert '"Suport"' in bad.message


def test_check_says_how_to_mend_refused_credentials(make: Make) -> None:
    [finding] = make(api_token="revoked-token").check(NOW)
    assert not finding.ok
    assert "401" in finding.message
    assert "Admin Center" in finding.cure


def test_of_several_orders_an_error_takes_only_its_own(
    zendesk: Zendesk, sink: ZendeskTicket
) -> None:
    batch = [prepare(sink, order(key=f"nps-{n}")) for n in range(3)]
    zendesk.fault("status", method="POST", status=422, skip=1, body={"error": "RecordInvalid"})
    first, second, third = sink.send(batch, NOW)
    assert isinstance(first, Receipt)
    assert isinstance(second, Refused)
    assert isinstance(third, Receipt)
    zendesk.fault("status", method="POST", status=429, skip=1, times=None)
    kept, *rest = sink.send(batch, NOW)
    assert kept == first  # what was done is not lost with an error of the account
    assert all(isinstance(one, TryLater) for one in rest)
