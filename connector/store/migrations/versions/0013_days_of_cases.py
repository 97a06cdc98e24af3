"""cases counted by the day of their answer; the database notes which days have changed"""

import sqlalchemy as sa
from alembic import op

from connector.store.types import RowId, UtcTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# Whatever of a case is counted.
_COUNTED = (
    "answered_at, survey, source, segment, rule_id, team, owner, state, respond_by,"
    " contacted_at, closed_at, working_seconds, reopened, cause, action_taken"
)
_DAY = {
    "sqlite": "substr({time}, 1, 10)",
    "postgresql": "to_char({time} AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
}
_NOTE = {
    "sqlite": (
        "CREATE TRIGGER note_opened AFTER INSERT ON cases BEGIN"
        " INSERT INTO case_changes (day) VALUES ({new}); END",
        f"CREATE TRIGGER note_changed AFTER UPDATE OF {_COUNTED} ON cases BEGIN"
        " INSERT INTO case_changes (day) SELECT {old} UNION SELECT {new}; END",
        "CREATE TRIGGER note_removed AFTER DELETE ON cases BEGIN"
        " INSERT INTO case_changes (day) VALUES ({old}); END",
    ),
    "postgresql": (
        "CREATE FUNCTION note_opened() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO {schema}.case_changes (day) SELECT DISTINCT {day} FROM opened;"
        " RETURN NULL; END $$",
        "CREATE FUNCTION note_changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO {schema}.case_changes (day) SELECT {old} UNION SELECT {new};"
        " RETURN NULL; END $$",
        "CREATE FUNCTION note_removed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO {schema}.case_changes (day) VALUES ({old}); RETURN NULL; END $$",
        "CREATE TRIGGER note_opened AFTER INSERT ON cases REFERENCING NEW TABLE AS opened"
        " FOR EACH STATEMENT EXECUTE FUNCTION note_opened()",
        f"CREATE TRIGGER note_changed AFTER UPDATE OF {_COUNTED} ON cases"
        " FOR EACH ROW EXECUTE FUNCTION note_changed()",
        "CREATE TRIGGER note_removed AFTER DELETE ON cases"
        " FOR EACH ROW EXECUTE FUNCTION note_removed()",
    ),
}


def upgrade() -> None:
    op.create_table(
        "case_days",
        sa.Column("dimension", sa.String(20), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("due_by", UtcTime(), nullable=True),
        sa.Column("figures", sa.Text(), nullable=False),
        sa.Column("waits", sa.Text(), nullable=False),
        sa.Column("working_waits", sa.Text(), nullable=False),
        sa.Column("endings", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("dimension", "day", name=op.f("pk_case_days")),
    )
    op.create_table(
        "case_changes",
        sa.Column("id", RowId, autoincrement=True, nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_changes")),
        sqlite_autoincrement=True,
    )
    connection = op.get_bind()
    dialect, schema = connection.dialect.name, ""
    if dialect == "postgresql":  # found whatever the search path of who changes a case
        schema = connection.scalar(sa.text("SELECT quote_ident(current_schema())"))
    day, old, new = (
        _DAY[dialect].format(time=time)
        for time in ("answered_at", "OLD.answered_at", "NEW.answered_at")
    )
    for statement in _NOTE[dialect]:
        op.execute(statement.format(day=day, old=old, new=new, schema=schema))
    op.execute(f"INSERT INTO case_changes (day) SELECT DISTINCT {day} FROM cases")  # noqa: S608 - ours
