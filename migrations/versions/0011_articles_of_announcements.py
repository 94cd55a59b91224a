"""articles of announcements"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('announcement_article',
    sa.Column('announcement_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('account', sa.String(length=64), nullable=False, comment='of zalo-oa'),
    sa.Column('state', sa.String(length=12), nullable=False, comment='bot.announcements.articles.ArticleState'),
    sa.Column('token', sa.Text(), nullable=True, comment="by which Zalo says whether it is made"),
    sa.Column('article_id', sa.String(length=128), nullable=True, comment="Zalo's id of the article"),
    sa.Column('external_id', sa.String(length=128), nullable=True, comment="Zalo's id of the broadcast"),
    sa.Column('problem', sa.String(length=120), nullable=True, comment='why the last try stopped'),
    sa.Column('actor', sa.String(length=64), nullable=False, comment='login'),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False, comment='when the state was reached'),
    sa.Column('owner', sa.String(length=32), nullable=True, comment='the one try that is at it'),
    sa.Column('lease_until', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['announcement_id'], ['announcement.id'], name=op.f('fk_announcement_article_announcement_id_announcement'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('announcement_id', 'account', name=op.f('pk_announcement_article'))
    )


def downgrade() -> None:
    op.drop_table('announcement_article')
