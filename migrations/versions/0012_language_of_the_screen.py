"""the language of a citizen's screen"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('conversation') as batch_op:
        batch_op.add_column(sa.Column('language', sa.String(length=8), nullable=True, comment="of the screen of who agreed to that; NULL = not known"))


def downgrade() -> None:
    with op.batch_alter_table('conversation') as batch_op:
        batch_op.drop_column('language')
