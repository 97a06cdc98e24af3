"""What a Google account holds and what happens in it: forms, submissions, edits, sharing.

The API over it is in `api.py`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from connector.sandbox.core import Clock, Vendor
from connector.sandbox.credentials import GOOGLE_CLIENT_EMAIL
from connector.sandbox.google.items import Item, question_ids, without_defaults
from connector.sandbox.google.oauth import TokenDesk

Row = dict[str, Any]
Value = str | int | Iterable[str] | None  # of one answer; several texts for a CHECKBOX

MOST_PER_PAGE = 5000
E_MAIL_COLLECTIONS = ("DO_NOT_COLLECT", "VERIFIED", "RESPONDER_INPUT")
# Per minute: (project, user). https://developers.google.com/workspace/forms/api/limits
QUOTAS = {"Read requests": (975, 390), "Expensive read requests": (450, 180)}


class GoogleAccount(Vendor):
    name: ClassVar[str] = "google"

    def __init__(self, clock: Clock, state: dict[str, Any]) -> None:
        super().__init__(clock, state)
        state.setdefault("forms", {})  # id -> {form, shared_with, responses: {id: row}}
        state.setdefault("quotas", {name: list(limits) for name, limits in QUOTAS.items()})
        state.setdefault("used", {"minute": 0})
        state.setdefault("most_per_page", MOST_PER_PAGE)
        state.setdefault("filter_reads", "lastSubmittedTime")
        self.desk = TokenDesk(clock, state)

    # -- switches ------------------------------------------------------------------------------

    def set_quota(self, quota: str, *, per_project: int, per_user: int) -> None:
        """Requests per minute for one of `QUOTAS`."""
        with self.changing():
            self.state["quotas"][quota] = [per_project, per_user]

    def cap_pages(self, responses: int) -> None:
        """Give at most that many per page, whatever pageSize asks: Google may return fewer."""
        with self.changing():
            self.state["most_per_page"] = responses

    def filter_by(self, field: str) -> None:
        """Compare `timestamp` with "createTime", the other reading of the page: edits are lost."""
        with self.changing():
            self.state["filter_reads"] = field

    def share(self, form_id: str, *users: str) -> None:
        """Set who may read the form; nobody when no user is given."""
        with self.changing():
            self.state["forms"][form_id]["shared_with"] = list(users)

    def delegate(self, user: str) -> None:
        """Let the service account act for `user` by domain-wide delegation."""
        with self.changing():
            self.state["delegated"].append(user)

    # -- seeding -------------------------------------------------------------------------------

    def add_form(
        self,
        form_id: str,
        *items: Item,
        title: str = "NPS",
        email_collection: str = "RESPONDER_INPUT",
        shared_with: Iterable[str] = (GOOGLE_CLIENT_EMAIL,),
    ) -> Row:
        """Make a form of items from `items`. Returns it as `forms.get` shows it.

        Raises ValueError for an unknown e-mail collection and for a question id used twice.
        """
        ids = question_ids(items)
        if len(ids) != len(set(ids)):
            raise ValueError("two questions have one id")
        if email_collection not in E_MAIL_COLLECTIONS:
            raise ValueError(f"emailCollectionType is one of {', '.join(E_MAIL_COLLECTIONS)}")
        numbered = [{"itemId": f"{n:08x}", **item} for n, item in enumerate(items, start=1)]
        form: Row = without_defaults(
            {
                "formId": form_id,
                "revisionId": "00000007",
                "responderUri": f"https://docs.google.com/forms/d/e/{form_id}/viewform",
                "info": {"title": title, "documentTitle": title},
                "settings": {"emailCollectionType": email_collection},
                "items": numbered,
            }
        )
        about = {"form": form, "shared_with": list(shared_with), "responses": {}}
        with self.changing():
            self.state["forms"][form_id] = about
        return form

    def add_response(
        self,
        form_id: str,
        answers: Mapping[str, Value],
        *,
        email: str | None = None,
        at: datetime | None = None,
        id: str | None = None,
    ) -> Row:
        """Somebody submits the form. `answers`: question id -> value; a question may be missing.

        Returns the response as the list shows it. Raises KeyError for an unknown form, ValueError
        for an unknown question, an id that is taken, or an e-mail that this form does not collect.
        """
        with self.changing():
            about = self.state["forms"][form_id]
            collects = about["form"]["settings"]["emailCollectionType"] != "DO_NOT_COLLECT"
            if email is not None and not collects:
                raise ValueError(f"form {form_id} does not collect e-mail addresses")
            id = _new_id(form_id, len(about["responses"])) if id is None else id
            if id in about["responses"]:
                raise ValueError(f"there is a response {id} already")
            moment = (at or self.clock.now()).astimezone(UTC)
            row: Row = {
                "responseId": id,
                "createTime": _zulu(moment, milliseconds=True),
                "lastSubmittedTime": _zulu(moment),
            }
            if email is not None:
                row["respondentEmail"] = email
            _answer(about["form"], row, answers)
            about["responses"][id] = row
            return dict(row)

    def edit_response(
        self, form_id: str, id: str, answers: Mapping[str, Value], *, at: datetime | None = None
    ) -> Row:
        """The respondent submits again with other answers; None takes an answer away.

        Only `lastSubmittedTime` tells. Raises KeyError for what is unknown.
        """
        with self.changing():
            about = self.state["forms"][form_id]
            row: Row = dict(about["responses"][id])
            row["lastSubmittedTime"] = _zulu((at or self.clock.now()).astimezone(UTC))
            _answer(about["form"], row, answers)
            about["responses"][id] = row
            return dict(row)


def _answer(form: Row, row: Row, answers: Mapping[str, Value]) -> None:
    """Set a response's answers; a response without any has no `answers` at all."""
    if unknown := set(answers) - set(question_ids(form["items"])):
        raise ValueError(f"form {form['formId']} has no question {', '.join(sorted(unknown))}")
    given: Row = dict(row.get("answers", {}))
    for question_id, value in answers.items():
        if value is None:
            given.pop(question_id, None)
            continue
        texts = [str(value)] if isinstance(value, str | int) else list(value)
        given[question_id] = {
            "questionId": question_id,
            "textAnswers": {"answers": [{"value": one} for one in texts]},
        }
    row.pop("answers", None)
    if given:
        row["answers"] = given


def _zulu(moment: datetime, *, milliseconds: bool = False) -> str:
    """As Google prints it: as many groups of three decimals as the value needs."""
    micro = moment.microsecond // 1000 * 1000 if milliseconds else moment.microsecond
    decimals = f"{micro:06d}"
    decimals = "" if micro == 0 else "." + (decimals[:3] if micro % 1000 == 0 else decimals)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + decimals + "Z"


def _new_id(form_id: str, number: int) -> str:
    digest = hashlib.sha256(f"{form_id} {number}".encode()).digest()
    return "ACYDBN" + base64.urlsafe_b64encode(digest[:15]).decode()
