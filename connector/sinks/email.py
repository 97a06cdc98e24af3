"""Mails over SMTP, at most once: thanks to people who may be written to, the digest of a week."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Literal

import requests
from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator

from connector import ports
from connector.domain import Finding, Order, Prepared, Receipt
from connector.errors import ConnectorError, LookFirst, Refused, TryLater
from connector.limits import Allowance
from connector.ports import Capabilities, Secret, TemplateName
from connector.sinks import unsubscribe
from connector.sinks.crm import address_of, vendor_words
from connector.sinks.mail_message import Envelope, Rendered, deliverable, message_bytes
from connector.sinks.smtp import Reply, Security, Server, connected, hand_over, refusal
from connector.sinks.verp import LONGEST_LOCAL, sender_for

UNREACHED = "is it reachable from here? check network, host and port"
DIGEST = "email.digest"  # of a week, to colleagues; no rule can ask for it
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")

Address = Annotated[str, AfterValidator(deliverable)]


class EmailSettings(ports.SinkSettings):
    type: Literal["email"] = "email"
    host: str = Field(min_length=1)
    port: int = Field(587, ge=1, le=65535)
    security: Security = Field("starttls", description="starttls (587), tls (465) or none")
    user: str = ""
    password: Secret | None = None
    from_address: Address
    from_name: str = ""
    unsubscribe_url: str = Field(
        "", description="https://…/u of the receiver; the token of the recipient is appended"
    )
    unsubscribe_secret: Secret | None = None
    bounce_address: Address | Literal[""] = Field(
        "", description="where bounces come back; what is behind a + there must arrive too"
    )
    bounce_secret: Secret | None = None
    message_id_domain: str = Field("", description="without it that of from_address")
    timeout_seconds: float = Field(20, gt=0, le=120)

    @field_validator("unsubscribe_url")
    @classmethod
    def _secure(cls, url: str) -> str:
        local = re.match(r"http://(?:localhost|127\.0\.0\.1)[:/]", url)
        if url and not re.fullmatch(r"https://[!-~]+", url) and not local:
            raise ValueError("mail programs follow only https:// links")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _pairs(self) -> EmailSettings:
        if bool(self.user) != (self.password is not None):
            raise ValueError("give user and password, or neither")
        if bool(self.unsubscribe_url) != (self.unsubscribe_secret is not None):
            raise ValueError("give unsubscribe_url and unsubscribe_secret, or neither")
        if bool(self.bounce_address) != (self.bounce_secret is not None):
            raise ValueError("give bounce_address and bounce_secret, or neither")
        if len(self.bounce_address.partition("@")[0]) > LONGEST_LOCAL or "+" in self.bounce_address:
            raise ValueError(
                f"bounce_address: write at most {LONGEST_LOCAL} characters and no + before the @"
            )
        deliverable(f"postmaster@{self.domain}")
        return self

    @property
    def domain(self) -> str:
        return self.message_id_domain or self.from_address.rpartition("@")[2]


class ThankYouParams(ports.Params):
    """`email.thank_you` in a rule."""

    template: TemplateName = Field("thank_you", description="a folder under templates/")
    reply_to: Address | Literal[""] = Field("", description="who gets the customer's answer")


class ThankYouEmail:
    """`email.thank_you`. SMTP has no key and no look-up: whatever was lost after the server began
    to take the message stays in doubt and is never sent again."""

    Settings: ClassVar[type[ports.SinkSettings]] = EmailSettings
    Params: ClassVar[type[ports.Params]] = ThankYouParams
    type: ClassVar[str] = "email"
    kind: ClassVar[str] = "email.thank_you"
    capabilities: ClassVar[Capabilities] = Capabilities(
        to_customer=True, settle=timedelta(minutes=10)
    )

    def __init__(self, settings: EmailSettings, session: requests.Session) -> None:
        self._settings = settings
        self.meter = settings.meter(Allowance())  # a call is a message
        self._server = Server(
            host=settings.host,
            port=settings.port,
            security=settings.security,
            user=settings.user,
            password=settings.password.get_secret_value() if settings.password else "",
            local_name=settings.domain,
            timeout_seconds=settings.timeout_seconds,
        )

    @property
    def account(self) -> str:
        return f"email:{self._settings.host.lower()}"

    def prepare(self, orders: Sequence[Order], now: datetime) -> Sequence[bytes | ConnectorError]:
        prepared: list[bytes | ConnectorError] = []
        for order in orders:
            try:
                prepared.append(self._message(order, now))
            except Refused as refused:
                prepared.append(refused)
        return prepared

    def send(self, batch: Sequence[Prepared], now: datetime) -> Sequence[Receipt | ConnectorError]:
        sent: list[Receipt | ConnectorError] = []
        for one in batch:
            try:
                sent.append(self._send(one))
            except ConnectorError as error:
                sent.append(error)
        return sent

    def find(
        self, batch: Sequence[Prepared], now: datetime
    ) -> Sequence[Receipt | ConnectorError | None]:
        """Nobody can be asked; None would mean that nothing was sent."""
        return [LookFirst("a mail cannot be looked up; see the mail server's log") for _ in batch]

    def check(self, now: datetime) -> Sequence[Finding]:
        found = [self._reachable()]
        if not self._settings.unsubscribe_url:
            found.append(
                Finding(
                    ok=False,
                    subject="unsubscribing",
                    message="mails carry no unsubscribe link",
                    cure="set unsubscribe_url and unsubscribe_secret",
                )
            )
        if not self._settings.bounce_address:
            found.append(
                Finding(
                    ok=True,
                    subject="bounces",
                    message="not read: dead addresses are found only where the server refuses them "
                    "at once",
                    cure="set bounce_address and bounce_secret (docs/sinks/email.md)",
                )
            )
        if self._settings.security == "none" and self._settings.host not in _LOCAL_HOSTS:
            found.append(
                Finding(
                    ok=False,
                    subject="encryption",
                    message="mails and the password cross the network in the clear",
                    cure="set security: starttls or tls",
                )
            )
        return found

    def _reachable(self) -> Finding:
        place = f"{self._settings.host}:{self._settings.port}"
        try:
            with connected(self._server) as smtp:
                smtp.noop()
        except ConnectorError as error:
            cure = UNREACHED if isinstance(error, TryLater) else ""
            return Finding(ok=False, subject=place, message=str(error), cure=cure)
        except OSError:
            return Finding(ok=False, subject=place, message="the connection broke; try again")
        return Finding(ok=True, subject=place, message="lets us in")

    def _message(self, order: Order, now: datetime) -> bytes:
        return self._digest(order, now) if order.kind == DIGEST else self._thanks(order, now)

    def _digest(self, order: Order, now: datetime) -> bytes:
        """To a colleague: nothing to unsubscribe from but in connector.yaml."""
        from connector.sinks.weekly.content import Weekly
        from connector.sinks.weekly.mail import digest_bytes

        try:
            told = Weekly.model_validate(order.params.get("weekly"))
        except ValidationError:
            raise Refused("the digest was put together by a version too different") from None
        settings = self._settings
        envelope = Envelope(
            action=order.key,
            kind=order.kind,
            sender=settings.from_address,
            sender_name=settings.from_name,
            recipient=_recipient(order),
            recipient_name="",
            reply_to="",
            unsubscribe_url="",
            feedback_id="weekly:digest:nps",
            message_domain=settings.domain,
        )
        return digest_bytes(told, envelope, now)

    def _thanks(self, order: Order, now: datetime) -> bytes:
        settings, recipient = self._settings, _recipient(order)
        try:
            words = Rendered.model_validate(order.params.get("rendered"))
        except ValidationError:
            raise Refused("the mail template was not filled in; see the rule's problems") from None
        link = ""
        if settings.unsubscribe_secret is not None:
            secret = settings.unsubscribe_secret.get_secret_value()
            # The address as it is stored, so that what comes back is found on the same list.
            token = unsubscribe.token(_address(order), secret, words.language)
            link = f"{settings.unsubscribe_url}/{token}"
        parts = (str(order.params.get("template", "mail")), order.facts.survey, "nps")
        envelope = Envelope(
            action=order.key,
            kind=self.kind,
            sender=settings.from_address,
            sender_name=settings.from_name,
            recipient=recipient,
            recipient_name=str(order.facts.customer.get("name") or ""),
            reply_to=str(order.params.get("reply_to") or ""),
            unsubscribe_url=link,
            feedback_id=":".join(re.sub(r"[^A-Za-z0-9_-]", "-", part) for part in parts),
            message_domain=settings.domain,
        )
        return message_bytes(words, envelope, now)

    def _envelope_sender(self, order: Order) -> str:
        settings = self._settings
        if settings.bounce_secret is None:
            return settings.from_address
        secret = settings.bounce_secret.get_secret_value()
        return sender_for(order.key, settings.bounce_address, secret)

    def _send(self, one: Prepared) -> Receipt:
        recipient = _recipient(one.order)
        with connected(self._server) as smtp:
            try:
                hand_over(smtp, self._envelope_sender(one.order), recipient, one.body)
            except Reply as reply:
                words = vendor_words(str(reply.code), reply.text, one.order.facts)
                raise refusal(reply, words) from None
        return Receipt(remote_id=_message_id(one.body))


def _address(order: Order) -> str:
    address = address_of(order)
    if address is None:
        raise Refused("the customer left no e-mail address")
    return address


def _recipient(order: Order) -> str:
    """For the envelope; the frozen order alone says it."""
    try:
        if order.kind == DIGEST:
            return deliverable(str(order.params.get("to") or ""))
        return deliverable(_address(order))
    except ValueError as wrong:
        raise Refused(str(wrong), address_dead=True) from None


def _message_id(message: bytes) -> str:
    found = re.search(rb"(?m)^Message-ID: *(?:\r\n )?(\S+)", message)
    return found[1].decode() if found else ""
