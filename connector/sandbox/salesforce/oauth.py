"""Tokens: the client-credentials and the JWT-bearer flow.

https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_flows.htm
"""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import unquote

import jwt

from connector.sandbox.core import Call, Clock, Refusal, Reply
from connector.sandbox.credentials import rsa_key
from connector.sandbox.salesforce.schema import Row

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
AUDIENCES = ("https://login.salesforce.com", "https://test.salesforce.com")


class Tokens:
    def __init__(self, state: Row, clock: Clock) -> None:
        self.state = state
        self.clock = clock

    def grant(self, call: Call, instance_url: str) -> Reply:
        """Answers POST /services/oauth2/token; raises `Refusal` 400 or 401."""
        form = call.form()
        match form.get("grant_type"):
            case "client_credentials":
                self._check_client(call, form)
            case grant if grant == JWT_GRANT:
                self._check_assertion(form.get("assertion", ""))
            case _:
                raise _refused("unsupported_grant_type", "grant type not supported")
        now = self.clock.timestamp()
        serial = f"{now}-{len(self.state['tokens'])}"
        token = "00DSx!" + hashlib.sha256(serial.encode()).hexdigest()
        self.state["tokens"][token] = now + self.state["settings"]["token_seconds"]
        return Reply(
            200,
            {
                "access_token": token,
                "instance_url": instance_url,
                "id": "https://login.salesforce.com/id/00DSx/005Sx",
                "token_type": "Bearer",
                "issued_at": str(int(now * 1000)),
                "scope": "api",
            },
        )

    def valid(self, authorization: str) -> bool:
        scheme, _, token = authorization.partition(" ")
        expires: float = self.state["tokens"].get(token, 0)
        return scheme == "Bearer" and self.clock.timestamp() < expires

    def expire_all(self) -> None:
        self.state["tokens"].clear()

    def _check_client(self, call: Call, form: dict[str, str]) -> None:
        key, secret = form.get("client_id"), form.get("client_secret")
        scheme, _, pair = call.headers.get("authorization", "").partition(" ")
        if scheme == "Basic":
            try:
                key, _, secret = base64.b64decode(pair).decode().partition(":")
            except ValueError:
                raise _refused("invalid_client", "invalid client credentials") from None
            key, secret = unquote(key), unquote(secret)
        settings = self.state["settings"]
        if key != settings["consumer_key"]:
            raise _refused("invalid_client_id", "client identifier invalid")
        if secret != settings["consumer_secret"]:
            raise _refused("invalid_client", "invalid client credentials")

    def _check_assertion(self, assertion: str) -> None:
        settings = self.state["settings"]
        try:
            claims = jwt.decode(
                assertion,
                rsa_key("salesforce")[1],
                algorithms=["RS256"],
                audience=AUDIENCES,
                options={"require": ["iss", "sub", "exp"], "verify_exp": False},
            )
        except jwt.InvalidAudienceError:
            raise _refused("invalid_grant", "audience is invalid") from None
        except jwt.InvalidTokenError:
            raise _refused("invalid_grant", "invalid assertion") from None
        if claims["iss"] != settings["consumer_key"]:
            raise _refused("invalid_client_id", "client identifier invalid")
        # By the sandbox's clock, not the machine's.
        if float(claims["exp"]) <= self.clock.timestamp():
            raise _refused("invalid_grant", "expired authorization code")
        if claims["sub"] != settings["username"]:
            raise _refused("invalid_grant", "user hasn't approved this consumer")


def _refused(error: str, description: str) -> Refusal:
    return Refusal(400, {"error": error, "error_description": description})
