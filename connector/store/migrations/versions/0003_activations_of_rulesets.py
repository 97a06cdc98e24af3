"""activations of rulesets"""

import sqlalchemy as sa
from alembic import op

from connector.store.types import RowId, UtcTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    activations = op.create_table(
        "activations",
        sa.Column("id", RowId, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("by", sa.String(60), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["hash"], ["rulesets.hash"], name=op.f("fk_activations_hash_rulesets")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activations")),
    )
    settings = sa.table("settings", sa.column("name", sa.String), sa.column("value", sa.JSON))
    rulesets = sa.table("rulesets", sa.column("hash", sa.String), sa.column("stored_at", UtcTime()))
    connection = op.get_bind()
    active = connection.scalar(
        sa.select(settings.c.value).where(settings.c.name == "active_ruleset")
    )
    since = sa.select(rulesets.c.stored_at).where(rulesets.c.hash == active)
    if active is not None and (at := connection.scalar(since)) is not None:
        # When it became active was not written down; not before it was first kept.
        row = {"hash": active, "at": at, "by": "", "note": "active before activations were kept"}
        connection.execute(sa.insert(activations).values(row))
