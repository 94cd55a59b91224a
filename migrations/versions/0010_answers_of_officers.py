"""answers of officers to the questions that were kept"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
KEPT_BACK = "code IS NOT NULL AND inbox_id IS NULL"


def upgrade() -> None:
    with op.batch_alter_table('outbox', schema=None) as batch_op:
        batch_op.add_column(sa.Column('code', sa.String(length=16), nullable=True, comment='why it failed: stopped, outside_window, rejected, unreachable'))
        batch_op.create_index('ix_outbox_kept_back', ['code'], unique=False, sqlite_where=sa.text(KEPT_BACK), postgresql_where=sa.text(KEPT_BACK))
    with op.batch_alter_table('review', schema=None) as batch_op:
        batch_op.add_column(sa.Column('answered_at', sa.DateTime(timezone=True), nullable=True, comment='or closed'))
        batch_op.add_column(sa.Column('answered_by', sa.String(length=64), nullable=True, comment='login of the officer'))
        batch_op.add_column(sa.Column('outbox_id', BIG_ID, nullable=True, comment='the answer on its way'))
        batch_op.add_column(sa.Column('note', sa.String(length=200), nullable=True, comment='why it was closed without an answer'))
        batch_op.create_index('ix_review_outbox', ['outbox_id'], unique=False)


def downgrade() -> None:
    with op.batch_alter_table('review', schema=None) as batch_op:
        batch_op.drop_index('ix_review_outbox')
        batch_op.drop_column('note')
        batch_op.drop_column('outbox_id')
        batch_op.drop_column('answered_by')
        batch_op.drop_column('answered_at')
    with op.batch_alter_table('outbox', schema=None) as batch_op:
        batch_op.drop_index('ix_outbox_kept_back')
        batch_op.drop_column('code')
