"""finding the attempts to sign in that are over; a token reads, and needs no role for that"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_sign_in_attempts_since"), "sign_in_attempts", ["since"])
    op.drop_column("api_tokens", "role")
