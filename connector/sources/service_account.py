"""Bearer tokens for a Google service account, fetched on the session that we own.

https://google-auth.readthedocs.io/en/latest/reference/google.oauth2.service_account.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import requests

from connector.errors import Paused, TryLater
from connector.patience import patiently
from connector.sources.asking import only_reads

if TYPE_CHECKING:
    from google.auth.transport.requests import Request
    from google.oauth2.service_account import Credentials

TOKEN_LASTS = timedelta(minutes=50)  # of the hour that Google gives

UNREADABLE_KEY = (
    "the service account key is not the JSON file that Google gave; put its whole text there"
)
NOTHING_GIVEN = (
    "Google gives the service account no token: see that its key was not deleted, that this "
    "computer's clock is right, and, where subject is set, that domain-wide delegation covers "
    "both scopes"
)


class ServiceAccount:
    """`key` is the JSON text of a key file; `subject` the user to act for, if any."""

    def __init__(
        self, key: str, scopes: Sequence[str], subject: str | None, session: requests.Session
    ) -> None:
        self._key = key
        self._scopes = scopes
        self._subject = subject
        self._session = session
        # Kept together: a transport of google-auth closes its session when it is thrown away.
        self._client: tuple[Credentials, Request] | None = None
        self._until: datetime | None = None

    def bearer(self, now: datetime, renew: bool = False) -> str:
        """The value of an Authorization header; a new token when it is due or `renew` says so.

        Raises:
            Paused: when the key is unusable or Google refuses it.
            TryLater: when Google cannot be reached.
        """
        from connector.sources.google_client import GoogleAuthError

        self._client = self._client or self._made()
        credentials, transport = self._client
        if renew or self._until is None or now >= self._until:
            try:
                with only_reads(self._session):
                    patiently(partial(credentials.refresh, transport))
            except (GoogleAuthError, ValueError):
                raise Paused(NOTHING_GIVEN) from None
            except (TypeError, AttributeError):
                # google-auth stumbles over a good reply that is no object: a proxy's login page
                raise TryLater("Google gave no token that could be read") from None
            self._until = now + TOKEN_LASTS
        return f"Bearer {credentials.token}"

    def _made(self) -> tuple[Credentials, Request]:
        from connector.sources.google_client import Credentials, Request

        try:
            make: Callable[..., Credentials] = Credentials.from_service_account_info
            credentials = make(json.loads(self._key), scopes=self._scopes, subject=self._subject)
        except (ValueError, TypeError, KeyError):
            raise Paused(UNREADABLE_KEY) from None
        return credentials, Request(session=self._session)
