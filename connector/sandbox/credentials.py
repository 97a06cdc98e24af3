"""The fixed credentials of the sandbox: environment name -> value. They open nothing else."""

from __future__ import annotations

import base64
import json
from functools import cache

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

SECRETS: dict[str, str] = {
    "ZENDESK_EMAIL": "agent@example.com",
    "ZENDESK_API_TOKEN": "zd-sandbox-token",
    "ZENDESK_WEBHOOK_SECRET": "zd-sandbox-webhook-secret",
    "SALESFORCE_CONSUMER_KEY": "sf-sandbox-consumer-key",
    "SALESFORCE_CONSUMER_SECRET": "sf-sandbox-consumer-secret",
    "HUBSPOT_TOKEN": "pat-sandbox",
    "SLACK_BOT_TOKEN": "xoxb-sandbox",
    "DELIGHTED_API_KEY": "delighted-sandbox-key",
    "HOTJAR_CLIENT_ID": "hotjar-sandbox-id",
    "HOTJAR_CLIENT_SECRET": "hotjar-sandbox-secret",
    "SMTP_USER": "mailer@example.com",
    "SMTP_PASSWORD": "smtp-sandbox-password",
    "TYPEFORM_SECRET": "typeform-sandbox-secret",
    "WEBHOOK_SECRET": "whsec_" + base64.b64encode(b"webhook-sandbox-secret-32-bytes!").decode(),
    "UNSUBSCRIBE_SECRET": "unsubscribe-sandbox-secret",
}

GOOGLE_CLIENT_EMAIL = "connector@sandbox-project.iam.gserviceaccount.com"
GOOGLE_KEY_ID = "sandbox-key-1"


_keys: dict[str, str] = {}  # owner -> private key, PEM


def rsa_key(owner: str) -> tuple[str, str]:
    """(private key, public key) of `owner` as PEM text; made on first use, then always the same."""
    if owner not in _keys:
        made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        _keys[owner] = made.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
    return _keys[owner], _public_key(_keys[owner])


@cache
def _public_key(private: str) -> str:
    key = serialization.load_pem_private_key(private.encode(), password=None)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def known_keys() -> dict[str, str]:
    """What a sandbox saves, so that credentials handed out stay good after it is reopened."""
    return dict(_keys)


def adopt_keys(saved: dict[str, str]) -> None:
    _keys.update(saved)


def google_service_account(token_uri: str) -> str:
    """The JSON text that goes into GOOGLE_SERVICE_ACCOUNT."""
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "sandbox-project",
            "private_key_id": GOOGLE_KEY_ID,
            "private_key": rsa_key("google")[0],
            "client_email": GOOGLE_CLIENT_EMAIL,
            "client_id": "100000000000000000001",
            "token_uri": token_uri,
        }
    )
