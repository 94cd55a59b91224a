"""one person on several channels"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')


def upgrade() -> None:
    # The default is a plain string: with an expression Alembic makes the table anew on SQLite, and dropping the old one would
    # take all messages with it.
    with op.batch_alter_table('conversation', schema=None) as batch_op:
        batch_op.add_column(sa.Column('person', sa.String(length=32), nullable=True, comment='random; shared by the conversations of one person who linked them'))
        batch_op.add_column(sa.Column('preferred', sa.Boolean(), server_default='0', nullable=False, comment='gets the announcements'))
        batch_op.add_column(sa.Column('chosen_at', sa.DateTime(timezone=True), nullable=True, comment='when commune or subscription were last chosen'))
        batch_op.create_index('ix_conversation_person', ['person'], unique=False)
    # Nobody noted until now when something was chosen; not later than the last word.
    op.execute("UPDATE conversation SET chosen_at = last_seen_at WHERE ward IS NOT NULL OR subscribed")

    op.create_table('link_code',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('code_hash', sa.String(length=64), nullable=False, comment='keyed hash; the code itself was only shown'),
    sa.Column('conversation_id', BIG_ID, nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('claimed_by', BIG_ID, nullable=True, comment='the conversation where it was typed; only this one may confirm'),
    sa.Column('spent_at', sa.DateTime(timezone=True), nullable=True, comment='confirmed, declined or replaced'),
    sa.ForeignKeyConstraint(['conversation_id'], ['conversation.id'], name=op.f('fk_link_code_conversation_id_conversation'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_link_code')),
    sa.UniqueConstraint('code_hash', name=op.f('uq_link_code_code_hash'))
    )
    with op.batch_alter_table('link_code', schema=None) as batch_op:
        batch_op.create_index('ix_link_code_claim', ['claimed_by'], unique=False)
        batch_op.create_index('ix_link_code_conversation', ['conversation_id', 'created_at'], unique=False)

    op.create_table('link_guess',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('conversation_id', BIG_ID, nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False, comment='a wrong code was typed; kept for an hour'),
    sa.ForeignKeyConstraint(['conversation_id'], ['conversation.id'], name=op.f('fk_link_guess_conversation_id_conversation'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_link_guess'))
    )
    with op.batch_alter_table('link_guess', schema=None) as batch_op:
        batch_op.create_index('ix_link_guess_at', ['at'], unique=False)
        batch_op.create_index('ix_link_guess_conversation', ['conversation_id', 'at'], unique=False)


def downgrade() -> None:
    op.drop_table('link_guess')
    op.drop_table('link_code')
    with op.batch_alter_table('conversation', schema=None) as batch_op:
        batch_op.drop_index('ix_conversation_person')
        batch_op.drop_column('chosen_at')
        batch_op.drop_column('preferred')
        batch_op.drop_column('person')
