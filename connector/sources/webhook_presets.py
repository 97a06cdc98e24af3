"""Webhook settings that are known for a vendor; whatever the user writes as well wins.

A preset is what one would write in `connector.yaml` for that vendor. `needs` names the paths that
nobody can know beforehand, with an example.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Preset:
    settings: dict[str, Any]
    needs: dict[str, str] = field(default_factory=dict)


PRESETS: dict[str, Preset] = {
    # https://www.typeform.com/developers/webhooks/example-payload/
    "typeform": Preset(
        {
            "signature": {
                "scheme": "hmac-sha256",
                "header": "Typeform-Signature",
                "encoding": "base64",
                "prefix": "sha256=",
            },
            "only": {"event_type": "form_response"},
            "paths": {
                "id": "form_response.token",
                "survey": "form_response.form_id",
                "score": [
                    "form_response.answers[field.type=nps].number",
                    "form_response.answers[field.type=opinion_scale].number",
                ],
                "comment": "form_response.answers[field.type=long_text].text",
                "email": [
                    "form_response.hidden.email",
                    "form_response.answers[field.type=email].email",
                ],
                "name": "form_response.hidden.name",
                "external_id": "form_response.hidden.user_id",
                "language": "form_response.hidden.language",
                "answered_at": "form_response.submitted_at",
                "properties": "form_response.hidden",
            },
        }
    ),
    # https://formbricks.com/docs: responses are keyed by question id, which only the survey knows
    "formbricks": Preset(
        {
            "signature": {"scheme": "standard"},
            "only": {"event": ["responseCreated", "responseUpdated", "responseFinished"]},
            "paths": {
                "id": "data.id",
                "survey": "data.surveyId",
                "email": "data.contactAttributes.email",
                "external_id": "data.contactAttributes.userId",
                "language": "data.language",
                "answered_at": "data.createdAt",
                "revised_at": "data.updatedAt",
                "complete": "data.finished",
                "properties": "data.contactAttributes",
            },
        },
        needs={"score": "data.data.QUESTION_ID"},
    ),
}
