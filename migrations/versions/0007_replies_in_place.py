"""replies that take the place of the message whose button was pressed"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('inbox', schema=None) as batch_op:
        batch_op.add_column(sa.Column('ref', sa.String(64), nullable=True, comment="the messenger's id of the message whose button was pressed"))
    with op.batch_alter_table('outbox', schema=None) as batch_op:
        batch_op.add_column(sa.Column('edits', sa.String(64), nullable=True, comment="the messenger's id of the message it takes the place of"))


def downgrade() -> None:
    with op.batch_alter_table('outbox', schema=None) as batch_op:
        batch_op.drop_column('edits')
    with op.batch_alter_table('inbox', schema=None) as batch_op:
        batch_op.drop_column('ref')
