"""the seconds until a case was touched and closed, kept beside the times they come from"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_ENDS = {"touched_after": "coalesce(contacted_at, closed_at)", "closed_after": "closed_at"}
_POSTGRESQL = (
    "ALTER TABLE cases ADD COLUMN {name} INTEGER GENERATED ALWAYS AS "
    "(CAST(round(EXTRACT(epoch FROM {end} - answered_at)) AS INTEGER)) STORED"
)
# SQLite adds none that are stored to a table that is there; the index stores them.
_SQLITE = (
    "ALTER TABLE cases ADD COLUMN {name} INTEGER GENERATED ALWAYS AS "
    "(CAST(round((julianday({end}) - julianday(answered_at)) * 86400) AS INTEGER)) VIRTUAL"
)
_READ = (
    *("answered_at", "respond_by", "state", "touched_after", "closed_after", "contacted_at"),
    *("closed_at", "working_seconds", "reopened", "cause", "action_taken", "survey", "team"),
    *("owner", "rule_id", "source"),
)


def upgrade() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    statement = _SQLITE if is_sqlite else _POSTGRESQL
    for name, end in _ENDS.items():
        op.execute(statement.format(name=name, end=end))
    if is_sqlite:
        op.drop_index("ix_cases_answered_at", "cases")
        op.create_index("ix_cases_loop", "cases", list(_READ))
