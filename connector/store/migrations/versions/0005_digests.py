"""digests"""

import sqlalchemy as sa
from alembic import op

from connector.store.types import RowId

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("actions", sa.Column("digest", sa.String(80), nullable=True))
    op.add_column("actions", sa.Column("grouped_in", RowId, nullable=True))
