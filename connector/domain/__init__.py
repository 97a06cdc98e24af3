"""The nouns of this product; all of them frozen."""

from __future__ import annotations

from connector.domain.access import ROLES, Role, allows
from connector.domain.answers import (
    Note,
    Pulled,
    Respondent,
    Response,
    SourceState,
    Survey,
    response_id,
)
from connector.domain.cases import CaseState, Followed, Standing, Watched
from connector.domain.facts import (
    MOST_PAST,
    EarlierAnswer,
    Facts,
    History,
    PastAnswer,
    PastEffect,
)
from connector.domain.orders import (
    Digest,
    DigestLine,
    Order,
    Prepared,
    Receipt,
    amendment_key,
    case_key,
    digest_key,
    effect_key,
    is_case_key,
    raising_key,
)
from connector.domain.values import (
    Door,
    Finding,
    LanguageFrom,
    Problem,
    Scalar,
    Segment,
    Severity,
    Value,
)
from connector.domain.verdicts import (
    Intent,
    RuleMatch,
    Verdict,
)

__all__ = [
    "MOST_PAST",
    "ROLES",
    "CaseState",
    "Digest",
    "DigestLine",
    "Door",
    "EarlierAnswer",
    "Facts",
    "Finding",
    "Followed",
    "History",
    "Intent",
    "LanguageFrom",
    "Note",
    "Order",
    "PastAnswer",
    "PastEffect",
    "Prepared",
    "Problem",
    "Pulled",
    "Receipt",
    "Respondent",
    "Response",
    "Role",
    "RuleMatch",
    "Scalar",
    "Segment",
    "Severity",
    "SourceState",
    "Standing",
    "Survey",
    "Value",
    "Verdict",
    "Watched",
    "allows",
    "amendment_key",
    "case_key",
    "digest_key",
    "effect_key",
    "is_case_key",
    "raising_key",
    "response_id",
]
