"""cases, what happened to them, and how far their far sides have been followed"""

import sqlalchemy as sa
from alembic import op

from connector.store.types import RowId, UtcTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# What was opened before cases were followed. A ticket's priority stands in its order.
_OPENED = """
INSERT INTO cases (action_id, response_id, customer_id, source, survey, score, segment, rule_id,
                   sink, remote_id, url, answered_at, opened_at, respond_by, state)
SELECT actions.id, responses.id, actions.customer_id, responses.source, responses.survey,
       responses.score, responses.segment, actions.rule_id, actions.sink, actions.remote_id,
       actions.url, coalesce(responses.answered_at, responses.received_at),
       coalesce(actions.finished_at, actions.created_at), actions.respond_by, 'open'
FROM actions JOIN responses ON responses.id = actions.response_id
WHERE actions.opens_case AND actions.amends IS NULL AND actions.state = 'done'
  AND actions.remote_id IS NOT NULL
"""


def upgrade() -> None:
    op.add_column(
        "actions",
        sa.Column("reopens", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.create_table(
        "cases",
        sa.Column("action_id", RowId, nullable=False),
        sa.Column("response_id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=True),
        sa.Column("source", sa.String(100), nullable=False),
        sa.Column("survey", sa.String(100), nullable=False),
        sa.Column("score", sa.Integer(), nullable=True),
        sa.Column("segment", sa.String(20), nullable=True),
        sa.Column("rule_id", sa.String(200), nullable=False),
        sa.Column("sink", sa.String(100), nullable=False),
        sa.Column("remote_id", sa.String(200), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("priority", sa.String(20), nullable=True),
        sa.Column("answered_at", UtcTime(), nullable=False),
        sa.Column("opened_at", UtcTime(), nullable=False),
        sa.Column("respond_by", UtcTime(), nullable=True),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("team", sa.Text(), nullable=True),
        sa.Column("contacted_at", UtcTime(), nullable=True),
        sa.Column("working_seconds", sa.Float(), nullable=True),
        sa.Column("closed_at", UtcTime(), nullable=True),
        sa.Column("missing", sa.Text(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("action_taken", sa.Text(), nullable=True),
        sa.Column("reopened", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reopened_at", UtcTime(), nullable=True),
        sa.Column("told_at", UtcTime(), nullable=True),
        sa.Column("next_response_id", sa.String(40), nullable=True),
        sa.Column("continues", RowId, nullable=True),
        sa.Column("continued_in", RowId, nullable=True),
        sa.Column("escalated", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(
            ["action_id"], ["actions.id"], name=op.f("fk_cases_action_id_actions")
        ),
        sa.ForeignKeyConstraint(
            ["response_id"], ["responses.id"], name=op.f("fk_cases_response_id_responses")
        ),
        sa.PrimaryKeyConstraint("action_id", name=op.f("pk_cases")),
    )
    op.create_index(op.f("ix_cases_response_id"), "cases", ["response_id"])
    op.create_index(op.f("ix_cases_customer_id"), "cases", ["customer_id"])
    op.create_index("ix_cases_sink_remote_id", "cases", ["sink", "remote_id"])
    op.create_index("ix_cases_state_respond_by", "cases", ["state", "respond_by"])
    op.create_index("ix_cases_answered_at", "cases", ["answered_at"])
    op.create_table(
        "case_events",
        sa.Column("id", RowId, nullable=False),
        sa.Column("action_id", RowId, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("key", sa.String(120), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("noticed_at", UtcTime(), nullable=False),
        sa.Column("who", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["action_id"], ["cases.action_id"], name=op.f("fk_case_events_action_id_cases")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_events")),
        sa.UniqueConstraint("action_id", "key", name=op.f("uq_case_events_action_id_key")),
    )
    op.create_index("ix_case_events_noticed_at", "case_events", ["noticed_at"])
    op.create_table(
        "followed",
        sa.Column("sink", sa.String(100), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("asked_at", UtcTime(), nullable=True),
        sa.Column("heard_at", UtcTime(), nullable=True),
        sa.Column("lease_until", UtcTime(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("sink", name=op.f("pk_followed")),
    )
    op.create_table(
        "hints",
        sa.Column("sink", sa.String(100), nullable=False),
        sa.Column("remote_id", sa.String(200), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("sink", "remote_id", name=op.f("pk_hints")),
    )
    op.execute(_OPENED)
