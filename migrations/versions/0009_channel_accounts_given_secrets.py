"""what the environment gave of a channel account's secrets, and problems in full length

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("channel_account", schema=None) as batch_op:
        batch_op.add_column(sa.Column("given_secrets", sa.Text(), nullable=True, comment="the secrets that the environment gave last, sealed alike"))
        batch_op.alter_column("given", existing_type=sa.String(64), existing_nullable=True, comment="hash of what the environment said besides secrets; NULL: made by an officer")
        batch_op.alter_column("receiving_problem", existing_type=sa.String(120), existing_nullable=True, type_=sa.String(400))
        batch_op.alter_column("sending_problem", existing_type=sa.String(120), existing_nullable=True, type_=sa.String(400))


def downgrade() -> None:
    op.execute("UPDATE channel_account SET receiving_problem = substr(receiving_problem, 1, 120), sending_problem = substr(sending_problem, 1, 120)")
    with op.batch_alter_table("channel_account", schema=None) as batch_op:
        batch_op.alter_column("sending_problem", existing_type=sa.String(400), existing_nullable=True, type_=sa.String(120))
        batch_op.alter_column("receiving_problem", existing_type=sa.String(400), existing_nullable=True, type_=sa.String(120))
        batch_op.alter_column("given", existing_type=sa.String(64), existing_nullable=True, comment="hash of what the environment gave; NULL: made by an officer")
        batch_op.drop_column("given_secrets")
