"""The sources before their stand-ins, one entry each."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from connector.sandbox import SECRETS, Sandbox
from connector.sandbox.google import items
from connector.sandbox.hotjar import SITE, question
from tests.contract.harness import Answer, Raw, Signed, SourceHarness

FORM, SURVEY = "1FAIpQL-contract", "survey_contract"


def hmac_hex(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


# -- Delighted ----------------------------------------------------------------------------------


def delighted_add(sandbox: Sandbox, answer: Answer) -> str:
    row = sandbox.delighted.add_response(
        answer.score, comment=answer.comment or None, email=answer.email, at=answer.at
    )
    return str(row["id"])


def delighted_signed(sandbox: Sandbox) -> list[Signed]:
    row = sandbox.delighted.add_response(3, comment="Muy lento", email="dora@example.com")
    body, headers = sandbox.delighted.webhook(row["id"], "survey_response.created")
    name = "X-Delighted-Webhook-Signature"
    return [Signed({}, body, {name.lower(): headers[name]}, sandbox.clock.now())]


DELIGHTED = SourceHarness(
    type="delighted",
    vendor="delighted",
    settings=lambda sandbox: {
        "api_key": SECRETS["DELIGHTED_API_KEY"],
        "base_url": sandbox.urls["delighted"],
    },
    scored=lambda raw: json.dumps({"id": "1", "score": raw, "created_at": 1795198625}).encode(),
    signed=delighted_signed,
    add=delighted_add,
    revise=lambda sandbox, id, comment, at: sandbox.delighted.revise(id, comment=comment, at=at),
    erase=lambda sandbox, id, email: sandbox.delighted.delete_person(email),
    webhook=lambda sandbox, id: sandbox.delighted.webhook(id, "survey_response.created"),
    api="/v1/",
    rows_per_page=100,
)

# -- Google Forms -------------------------------------------------------------------------------


def google_set_up(sandbox: Sandbox) -> None:
    sandbox.google.add_form(FORM, items.scale("a1", "How likely?"), items.text("b2", "Why?"))
    sandbox.google.cap_pages(30)


def google_add(sandbox: Sandbox, answer: Answer) -> str:
    given: dict[str, Any] = {"a1": answer.score, "b2": answer.comment or None}
    given = {question: value for question, value in given.items() if value is not None}
    row = sandbox.google.add_response(FORM, given, email=answer.email, at=answer.at)
    return str(row["responseId"])


def google_scored(raw: Any) -> bytes:
    value = str(raw) if isinstance(raw, int | float) and not isinstance(raw, bool) else raw
    given = {} if raw is None else {"a1": {"textAnswers": {"answers": [{"value": value}]}}}
    response = {"responseId": "1", "createTime": "2026-11-20T10:00:00Z", "answers": given}
    return json.dumps({"response": response, "questions": {"score": "a1"}}).encode()


GOOGLE_FORMS = SourceHarness(
    type="google_forms",
    vendor="google",
    settings=lambda sandbox: {
        "form_id": FORM,
        "service_account": sandbox.secrets["GOOGLE_SERVICE_ACCOUNT"],
        "base_url": sandbox.urls["google"],
    },
    set_up=google_set_up,
    scored=google_scored,
    signed=lambda sandbox: [],
    add=google_add,
    revise=lambda sandbox, id, comment, at: sandbox.google.edit_response(
        FORM, id, {"b2": comment}, at=at
    ),
    api="/v1/forms/",
    rows_per_page=30,
)

# -- Hotjar -------------------------------------------------------------------------------------

HOTJAR_SECRET = "hotjar-relay-secret-for-the-contract"


def hotjar_set_up(sandbox: Sandbox) -> None:
    questions = [question("q1", "nps", "How likely?"), question("q2", "long-text", "Why?")]
    sandbox.hotjar.add_survey([*questions, question("q3", "email", "E-mail")], id=SURVEY)


def hotjar_add(sandbox: Sandbox, answer: Answer) -> str:
    given = {"q1": answer.score, "q2": answer.comment or None, "q3": answer.email}
    return str(sandbox.hotjar.add_response(SURVEY, given, at=answer.at, complete=False)["id"])


def hotjar_scored(raw: Any) -> bytes:
    value = str(raw) if isinstance(raw, int | float) and not isinstance(raw, bool) else raw
    survey = {"id": SURVEY, "questions": [{"id": "q1", "type": "nps", "text": "How likely?"}]}
    row = {"id": "1", "answers": [{"question_id": "q1", "answer": value}]}
    return json.dumps({"survey": survey, "response": row}).encode()


def hotjar_signed(sandbox: Sandbox) -> list[Signed]:
    body = b'{"event": "survey_response", "data": {"id": 1, "survey_id": 2, "questions": []}}'
    settings = {"scheme": "hmac-sha256", "header": "X-Relay-Sig", "secrets": [HOTJAR_SECRET]}
    headers = {"x-relay-sig": hmac_hex(HOTJAR_SECRET, body)}
    return [Signed({"signature": settings}, body, headers, sandbox.clock.now())]


HOTJAR = SourceHarness(
    type="hotjar",
    vendor="hotjar",
    settings=lambda sandbox: {
        "site_id": SITE,
        "client_id": SECRETS["HOTJAR_CLIENT_ID"],
        "client_secret": SECRETS["HOTJAR_CLIENT_SECRET"],
        "base_url": sandbox.urls["hotjar"],
    },
    set_up=hotjar_set_up,
    scored=hotjar_scored,
    signed=hotjar_signed,
    add=hotjar_add,
    revise=lambda sandbox, id, comment, at: sandbox.hotjar.complete_response(id, {"q2": comment}),
    erase=lambda sandbox, id, email: sandbox.hotjar.delete_response(id),
    exempt={
        "an_erasure_while_paging_loses_nobody_else": (
            "if its cursor counts rows, as the stand-in assumes, an answer that is erased during "
            "the first reading can hide an older one; later readings look back 48 hours"
        )
    },
    api="/v1/sites/",
    rows_per_page=100,
)

# -- webhook and CSV ----------------------------------------------------------------------------

WEBHOOK_PATHS = {"id": "id", "score": "score", "comment": "why", "email": "who.email"}


def webhook_signed(sandbox: Sandbox) -> list[Signed]:
    body, now = b'{"id": "1", "score": 0, "why": "Lento"}', sandbox.clock.now()
    stamp, secret = str(int(now.timestamp())), SECRETS["WEBHOOK_SECRET"]
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = hmac.new(key, b"msg_1." + stamp.encode() + b"." + body, hashlib.sha256).digest()
    standard = {
        "webhook-id": "msg_1",
        "webhook-timestamp": stamp,
        "webhook-signature": "v1," + base64.b64encode(signature).decode(),
    }
    plain = SECRETS["TYPEFORM_SECRET"]
    hexed = {"scheme": "hmac-sha256", "header": "X-Sig", "prefix": "sha256=", "secrets": [plain]}
    return [
        Signed({}, body, standard, now, ages=True),
        Signed({"signature": hexed}, body, {"x-sig": "sha256=" + hmac_hex(plain, body)}, now),
    ]


WEBHOOK = SourceHarness(
    type="webhook",
    why_no_vendor="no vendor stands behind it: whoever can post JSON is the sender",
    settings=lambda sandbox: {
        "paths": WEBHOOK_PATHS,
        "signature": {"scheme": "standard", "secrets": [SECRETS["WEBHOOK_SECRET"]]},
    },
    scored=lambda raw: json.dumps({"id": "1", "score": raw}).encode(),
    signed=webhook_signed,
)


def csv_scored(raw: Any) -> bytes:
    cell = str(raw) if isinstance(raw, int | float) and not isinstance(raw, bool) else raw
    row = {"Score": "" if cell is None else cell, "Why": "Lento", "E-mail": ""}
    return json.dumps({"row": row, "copy": 1}).encode()


CSV = SourceHarness(
    type="csv",
    why_no_vendor="its answers come in a file that a person imports",
    settings=lambda sandbox: {"columns": {"score": "Score", "comment": "Why", "email": "E-mail"}},
    scored=csv_scored,
    signed=lambda sandbox: [],
)

SOURCES = {one.type: one for one in (DELIGHTED, GOOGLE_FORMS, HOTJAR, WEBHOOK, CSV)}


def common(harness: SourceHarness, sandbox: Sandbox, more: Raw) -> Raw:
    """The settings with what every source takes."""
    return {"type": harness.type, "survey": "nps", **harness.settings(sandbox), **more}
