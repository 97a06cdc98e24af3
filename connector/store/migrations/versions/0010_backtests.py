"""backtests of the pages; the values that tallies have are found without reading every day"""

import sqlalchemy as sa
from alembic import op

from connector.store.types import RowId, UtcTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "backtests",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("running", sa.Integer(), nullable=True),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("total", RowId, nullable=False),
        sa.Column("done", RowId, nullable=False, server_default="0"),
        sa.Column("begun_at", UtcTime(), nullable=False),
        sa.Column("ends_at", UtcTime(), nullable=False),
        sa.Column("failed", sa.Text(), nullable=True),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backtests")),
        sa.UniqueConstraint("running", name=op.f("uq_backtests_running")),
    )
    op.create_index("ix_backtests_begun_at", "backtests", ["begun_at"])
    op.create_index("ix_tallies_dimension_value", "tallies", ["dimension", "value"])
    # Of people who were erased before these went by themselves.
    op.execute(
        "DELETE FROM tally_values WHERE NOT EXISTS (SELECT 1 FROM tallies"
        " WHERE tallies.dimension = tally_values.dimension"
        " AND tallies.value = tally_values.value)"
    )
