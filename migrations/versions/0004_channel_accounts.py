"""Channel accounts: owner, sealed secrets, health, and who polls for them.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "channel_account",
        sa.Column("channel", sa.String(32), nullable=False),
        sa.Column("account", sa.String(64), nullable=False, comment="our own short name for it, in webhook addresses"),
        sa.Column("unit", sa.String(64), nullable=False, comment="slug of the commune or province that owns it"),
        sa.Column("title", sa.String(120), nullable=False),
        sa.Column(
            "options", sa.JSON(), nullable=False, comment="what is not secret: addresses, mode, the messenger's public ids"
        ),
        sa.Column("secrets", sa.Text(), nullable=False, comment="sealed by bot.accounts.vault"),
        sa.Column("given", sa.String(64), comment="hash of what the environment gave; NULL: made by an officer"),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, comment="grows with each change a process has to hear of"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("receiving_problem", sa.String(120), comment="why nothing comes in; NULL while it works"),
        sa.Column("sending_problem", sa.String(120), comment="why nothing goes out"),
        sa.Column("problem_at", sa.DateTime(timezone=True), comment="since when"),
        sa.Column("worked_at", sa.DateTime(timezone=True), comment="when it last worked in either direction"),
        sa.Column("held_until", sa.DateTime(timezone=True), comment="the messenger asked the account to wait"),
        sa.Column("receiver", sa.String(128), comment="the one process that polls for this account"),
        sa.Column("receiver_until", sa.DateTime(timezone=True)),
        sa.Column("renewer", sa.String(128), comment="the one task that renews its tokens"),
        sa.Column("renewer_until", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("channel", "account", name="pk_channel_account"),
    )


def downgrade() -> None:
    op.drop_table("channel_account")
