"""limits of accounts"""

import sqlalchemy as sa
from alembic import op

from connector.store.types import UtcTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, type_ in (
        ("free_at", UtcTime()),
        ("limit_calls", sa.Integer()),
        ("limit_seconds", sa.Float()),
        ("limit_share", sa.Float()),
        ("told_calls", sa.Integer()),
        ("told_seconds", sa.Float()),
        ("quota_calls", sa.Integer()),
        ("quota_used", sa.Integer()),
        ("quota_at", UtcTime()),
    ):
        op.add_column("accounts", sa.Column(name, type_, nullable=True))
