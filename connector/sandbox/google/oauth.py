"""Google's token endpoint as a service account uses it: a signed JWT in, a bearer token out.

https://developers.google.com/identity/protocols/oauth2/service-account#httprest
"""

from __future__ import annotations

import secrets
import time
from typing import Any

import jwt

from connector.sandbox.core import Call, Clock, Refusal, Reply
from connector.sandbox.credentials import GOOGLE_CLIENT_EMAIL, rsa_key

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
AUDIENCE = "https://oauth2.googleapis.com/token"
SCOPE = "https://www.googleapis.com/auth/"
FORM_SCOPES = frozenset(
    SCOPE + name
    for name in ("drive", "drive.file", "drive.readonly", "forms.body", "forms.body.readonly")
)
RESPONSE_SCOPES = frozenset(
    SCOPE + name for name in ("drive", "drive.file", "forms.responses.readonly")
)
TOKEN_SECONDS = 3600
LONGEST_ASSERTION_SECONDS = 3600
SKEW_SECONDS = 300


class TokenDesk:
    """Gives bearer tokens and knows them again.

    `state`: "tokens" (token -> {user, scopes, expires_at}) and "delegated" (users that the
    service account may act for, by domain-wide delegation).
    """

    def __init__(self, clock: Clock, state: dict[str, Any]) -> None:
        self.clock = clock
        self.state = state
        state.setdefault("tokens", {})
        state.setdefault("delegated", [])

    def issue(self, call: Call) -> Reply:
        """POST /token"""
        form = call.form()
        if form.get("grant_type") != GRANT_TYPE:
            raise _refusal("unsupported_grant_type", "Invalid grant_type: ")
        if not form.get("assertion"):
            raise _refusal("invalid_request", "Missing required parameter: assertion")
        claims = _claims(form["assertion"])
        self._check(claims, f"http://{call.headers.get('host', '')}/token")
        scopes = str(claims.get("scope", "")).split()
        if not scopes:
            raise _refusal("invalid_scope", "Empty or missing scope not allowed.")
        if not (FORM_SCOPES | RESPONSE_SCOPES).issuperset(scopes):
            raise _refusal("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        user = claims.get("sub") or GOOGLE_CLIENT_EMAIL
        if user != GOOGLE_CLIENT_EMAIL and user not in self.state["delegated"]:
            raise _refusal(
                "unauthorized_client",
                "Client is unauthorized to retrieve access tokens using this method, or client"
                " not authorized for any of the scopes requested.",
                status=401,
            )
        return Reply(200, self._token(user, scopes))

    def find(self, call: Call) -> dict[str, Any] | None:
        """{user, scopes, expires_at} of the call's bearer token; None when unknown or expired."""
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        found: dict[str, Any] | None = self.state["tokens"].get(token)
        if scheme.lower() != "bearer" or found is None:
            return None
        return found if found["expires_at"] > self.clock.timestamp() else None

    def _token(self, user: str, scopes: list[str]) -> dict[str, Any]:
        now = self.clock.timestamp()
        known = self.state["tokens"]
        self.state["tokens"] = {t: about for t, about in known.items() if about["expires_at"] > now}
        token = "ya29.sandbox-" + secrets.token_urlsafe(24)
        self.state["tokens"][token] = {
            "user": user,
            "scopes": scopes,
            "expires_at": now + TOKEN_SECONDS,
        }
        return {"access_token": token, "expires_in": TOKEN_SECONDS, "token_type": "Bearer"}

    def _check(self, claims: dict[str, Any], own_url: str) -> None:
        # google-auth always names Google's public address as the audience, whatever token_uri says.
        if claims.get("aud") not in (AUDIENCE, own_url):
            raise _refusal("invalid_grant", "Invalid JWT: Failed audience check.")
        issued, expires = claims.get("iat"), claims.get("exp")
        if not (isinstance(issued, int | float) and isinstance(expires, int | float)):
            raise _refusal("invalid_grant", "Invalid JWT: iat and exp are required.")
        # google-auth reads the computer's clock, so a sandbox clock that was moved must not
        # spoil its assertions: they hold by either clock.
        clocks = (self.clock.timestamp(), time.time())
        timely = any(issued <= now + SKEW_SECONDS and expires > now for now in clocks)
        if not timely or expires - issued > LONGEST_ASSERTION_SECONDS:
            raise _refusal(
                "invalid_grant",
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable"
                " timeframe. Check your iat and exp values in the JWT claim.",
            )


def _claims(assertion: str) -> dict[str, Any]:
    """The claims of an assertion that the service account signed."""
    try:
        issuer = jwt.decode(assertion, options={"verify_signature": False}).get("iss")
    except jwt.InvalidTokenError:
        raise _refusal("invalid_grant", "Invalid JWT.") from None
    if issuer != GOOGLE_CLIENT_EMAIL:
        raise _refusal("invalid_grant", "Invalid grant: account not found")
    try:
        # Only the signature: audience and times are judged in Google's own words.
        claims: dict[str, Any] = jwt.decode(
            assertion,
            rsa_key("google")[1],
            algorithms=["RS256"],
            options={"verify_exp": False, "verify_iat": False, "verify_aud": False},
        )
    except jwt.InvalidTokenError:
        raise _refusal("invalid_grant", "Invalid JWT Signature.") from None
    return claims


def _refusal(error: str, description: str, *, status: int = 400) -> Refusal:
    return Refusal(status, {"error": error, "error_description": description})
