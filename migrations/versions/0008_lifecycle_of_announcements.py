"""lifecycle of announcements, categories, officers in chats"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('announcement_policy',
    sa.Column('unit', sa.String(length=64), nullable=False),
    sa.Column('second_person', sa.Boolean(), nullable=False, comment="what an officer writes needs another one's approval"),
    sa.Column('actor', sa.String(length=64), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('unit', name=op.f('pk_announcement_policy'))
    )
    op.create_table('saved_audience',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('unit', sa.String(length=64), nullable=False),
    sa.Column('name', sa.String(length=64), nullable=False, comment='slug of the title'),
    sa.Column('title', sa.String(length=120), nullable=False),
    sa.Column('query', sa.JSON(), nullable=False),
    sa.Column('author', sa.String(length=64), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_saved_audience')),
    sa.UniqueConstraint('unit', 'name', name=op.f('uq_saved_audience_unit_name'))
    )
    op.create_table('announcement_count',
    sa.Column('announcement_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('what', sa.String(length=24), nullable=False, comment='reply, read, join, ask, link-1 …'),
    sa.Column('channel', sa.String(length=32), nullable=False),
    sa.Column('unit', sa.String(length=64), nullable=False, comment='slug of the commune; "" where nobody can know'),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['announcement_id'], ['announcement.id'], name=op.f('fk_announcement_count_announcement_id_announcement'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('announcement_id', 'what', 'channel', 'unit', name=op.f('pk_announcement_count'))
    )
    op.create_table('announcement_step',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('announcement_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('actor', sa.String(length=64), nullable=True, comment='login; NULL: time itself'),
    sa.Column('action', sa.String(length=16), nullable=False, comment='bot.announcements.lifecycle.Action'),
    sa.Column('state', sa.String(length=16), nullable=False, comment='where it led'),
    sa.Column('note', sa.String(length=500), nullable=True, comment='the reason that was given'),
    sa.ForeignKeyConstraint(['announcement_id'], ['announcement.id'], name=op.f('fk_announcement_step_announcement_id_announcement'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_announcement_step'))
    )
    with op.batch_alter_table('announcement_step', schema=None) as batch_op:
        batch_op.create_index('ix_announcement_step', ['announcement_id', 'id'], unique=False)

    op.create_table('officer_chat',
    sa.Column('officer_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('conversation_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('linked_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['officer_id'], ['officer.id'], name=op.f('fk_officer_chat_officer_id_officer'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('officer_id', name=op.f('pk_officer_chat')),
    sa.UniqueConstraint('conversation_id', name=op.f('uq_officer_chat_conversation_id'))
    )
    op.create_table('officer_code',
    sa.Column('code_hash', sa.String(length=64), nullable=False, comment='SHA-256; the code itself is only with the officer'),
    sa.Column('officer_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['officer_id'], ['officer.id'], name=op.f('fk_officer_code_officer_id_officer'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('code_hash', name=op.f('pk_officer_code'))
    )
    op.create_table('officer_key',
    sa.Column('token_hash', sa.String(length=64), nullable=False, comment='SHA-256; the token itself is only with the program'),
    sa.Column('officer_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['officer_id'], ['officer.id'], name=op.f('fk_officer_key_officer_id_officer'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('token_hash', name=op.f('pk_officer_key'))
    )
    with op.batch_alter_table('officer_key', schema=None) as batch_op:
        batch_op.create_index('ix_officer_key_officer', ['officer_id'], unique=False)

    with op.batch_alter_table('announcement', schema=None) as batch_op:
        batch_op.add_column(sa.Column('code', sa.String(length=16), nullable=True, comment='stands in its buttons and links: says which announcement, never who'))
        batch_op.add_column(sa.Column('kind', sa.String(length=12), server_default='plain', nullable=False, comment='plain, repeated (its occurrences are plain), correction'))
        batch_op.add_column(sa.Column('parent_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True, comment='the repeated one of which this is an occurrence; the one that this corrects'))
        batch_op.add_column(sa.Column('content', sa.JSON(), nullable=True, comment='bot.announcements.content.Content; NULL: a text and nothing else'))
        batch_op.add_column(sa.Column('category', sa.String(length=24), server_default='khac', nullable=False))
        batch_op.add_column(sa.Column('query', sa.JSON(), nullable=True, comment='bot.announcements.audience.Audience; NULL: everybody of the unit'))
        batch_op.add_column(sa.Column('forecast', sa.JSON(), nullable=True, comment='whom it would have reached, as the approver saw it'))
        batch_op.add_column(sa.Column('repeat', sa.JSON(), nullable=True, comment='bot.announcements.schedules.Repeat; NULL: once'))
        batch_op.add_column(sa.Column('joins', sa.Boolean(), server_default=sa.false(), nullable=False, comment='who subscribes while it is being sent gets it too'))
        batch_op.add_column(sa.Column('writers', sa.JSON(), server_default='[]', nullable=False, comment='logins of all who wrote on it: none of them may approve it'))
        batch_op.add_column(sa.Column('approver', sa.String(length=64), nullable=True, comment="login; NULL with an approved_hash: sent by the unit's policy of one person"))
        batch_op.add_column(sa.Column('approved_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('approved_hash', sa.String(length=64), nullable=True, comment='of content, audience and forecast; a change of one asks again'))
        batch_op.add_column(sa.Column('problem', sa.String(length=40), nullable=True, comment='why it could not begin; a key of the catalogue'))
        batch_op.add_column(sa.Column('lanes', sa.JSON(), nullable=True, comment='[channel, account] of its deliveries'))
        batch_op.add_column(sa.Column('submitted_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('send_at', sa.DateTime(timezone=True), nullable=True, comment='when it begins, or begins next'))
        batch_op.add_column(sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True, comment='too late from here on'))
        batch_op.create_index('ix_announcement_code', ['code'], unique=True)
        batch_op.create_index('ix_announcement_parent', ['parent_id'], unique=False)
        batch_op.create_index('ix_announcement_started', ['started_at'], unique=False)

    with op.batch_alter_table('conversation', schema=None) as batch_op:
        batch_op.add_column(sa.Column('muted', sa.String(length=120), nullable=True, comment="kinds of announcements not wanted: ',an-ninh,tap-huan,'; NULL = all are"))

    with op.batch_alter_table('delivery', schema=None) as batch_op:
        batch_op.add_column(sa.Column('ward', sa.String(length=8), nullable=True, comment="national code of the citizen's commune when the audience was counted"))
        batch_op.add_column(sa.Column('target', sa.String(length=128), nullable=True, comment="of a correction: the messenger's id of the message that it corrects"))
        batch_op.create_index('ix_delivery_receipt', ['external_id'], unique=False, sqlite_where=sa.text("external_id IS NOT NULL AND channel NOT IN ('telegram', 'web')"), postgresql_where=sa.text("external_id IS NOT NULL AND channel NOT IN ('telegram', 'web')"))

    # What is being sent during the upgrade goes on: the accounts of an announcement now stand in its own row.
    bind = op.get_bind()
    lanes: dict[int, list[list[str]]] = {}
    rows = bind.execute(sa.text(
        "SELECT DISTINCT d.announcement_id, d.channel, d.account FROM delivery d JOIN announcement a ON a.id = d.announcement_id "
        "WHERE a.state IN ('waiting', 'sending')"
    ))
    for announcement_id, channel, account in rows:
        lanes.setdefault(announcement_id, []).append([channel, account])
    announcement = sa.table('announcement', sa.column('id', sa.BigInteger()), sa.column('lanes', sa.JSON()))
    for announcement_id, found in lanes.items():
        bind.execute(announcement.update().where(announcement.c.id == announcement_id).values(lanes=sorted(found)))

    if bind.dialect.name == 'postgresql':
        op.alter_column('announcement', 'state', comment='bot.announcements.states.AnnouncementState')


def downgrade() -> None:
    with op.batch_alter_table('delivery', schema=None) as batch_op:
        batch_op.drop_index('ix_delivery_receipt', sqlite_where=sa.text("external_id IS NOT NULL AND channel NOT IN ('telegram', 'web')"), postgresql_where=sa.text("external_id IS NOT NULL AND channel NOT IN ('telegram', 'web')"))
        batch_op.drop_column('target')
        batch_op.drop_column('ward')

    with op.batch_alter_table('conversation', schema=None) as batch_op:
        batch_op.drop_column('muted')

    with op.batch_alter_table('announcement', schema=None) as batch_op:
        batch_op.drop_index('ix_announcement_started')
        batch_op.drop_index('ix_announcement_parent')
        batch_op.drop_index('ix_announcement_code')
        batch_op.drop_column('expires_at')
        batch_op.drop_column('send_at')
        batch_op.drop_column('submitted_at')
        batch_op.drop_column('lanes')
        batch_op.drop_column('problem')
        batch_op.drop_column('approved_hash')
        batch_op.drop_column('approved_at')
        batch_op.drop_column('approver')
        batch_op.drop_column('writers')
        batch_op.drop_column('joins')
        batch_op.drop_column('repeat')
        batch_op.drop_column('forecast')
        batch_op.drop_column('query')
        batch_op.drop_column('category')
        batch_op.drop_column('content')
        batch_op.drop_column('parent_id')
        batch_op.drop_column('kind')
        batch_op.drop_column('code')

    with op.batch_alter_table('officer_key', schema=None) as batch_op:
        batch_op.drop_index('ix_officer_key_officer')

    op.drop_table('officer_key')
    op.drop_table('officer_code')
    op.drop_table('officer_chat')
    with op.batch_alter_table('announcement_step', schema=None) as batch_op:
        batch_op.drop_index('ix_announcement_step')

    op.drop_table('announcement_step')
    op.drop_table('announcement_count')
    op.drop_table('saved_audience')
    op.drop_table('announcement_policy')
