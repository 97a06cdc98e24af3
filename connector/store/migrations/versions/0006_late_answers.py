"""decisions that were taken again because of a late answer"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("decisions", sa.Column("late_answer", sa.String(40), nullable=True))
    again = sa.text("late_answer IS NOT NULL")
    op.create_index(
        op.f("ix_decisions_late_answer"),
        "decisions",
        ["late_answer"],
        sqlite_where=again,
        postgresql_where=again,
    )
