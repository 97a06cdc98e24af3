"""readings, tallies and the search over comments; the engine fills them in the background"""

import sqlalchemy as sa
from alembic import op

from connector.store.searching import MAKE
from connector.store.types import RowId, UtcTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "readings",
        sa.Column("id", RowId, autoincrement=False, nullable=False),
        sa.Column("response_id", sa.String(40), nullable=False),
        sa.Column("number", RowId, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("seq", RowId, nullable=False),
        sa.Column("survey", sa.String(100), nullable=False),
        sa.Column("source", sa.String(100), nullable=False),
        sa.Column("given", UtcTime(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=True),
        sa.Column("segment", sa.String(20), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("customer_id", sa.String(40), nullable=True),
        sa.Column("has_comment", sa.Boolean(), nullable=False),
        sa.Column("counted", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_readings")),
        sa.UniqueConstraint("response_id", name=op.f("uq_readings_response_id")),
    )
    op.create_index("ix_readings_customer_id_id", "readings", ["customer_id", "id"])
    op.create_index("ix_readings_seq", "readings", ["seq"])
    op.create_table(
        "tallies",
        sa.Column("dimension", sa.String(100), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("survey", sa.String(100), nullable=False),
        sa.Column("value", sa.String(200), nullable=False),
        sa.Column("score", sa.String(12), nullable=False),
        sa.Column("segment", sa.String(20), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            *("dimension", "day", "survey", "value", "score", "segment"), name=op.f("pk_tallies")
        ),
    )
    op.create_table(
        "tally_values",
        sa.Column("dimension", sa.String(100), nullable=False),
        sa.Column("value", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("dimension", "value", name=op.f("pk_tally_values")),
    )
    op.create_table(
        "projected",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", RowId, nullable=False),
        sa.Column("reached", RowId, nullable=False),
        sa.Column("seen_number", RowId, nullable=False),
        sa.Column("seen_xid", RowId, nullable=False),
        sa.Column("seq", RowId, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("dimensions", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projected")),
    )
    for statement in MAKE[op.get_bind().dialect.name]:
        op.execute(statement)
