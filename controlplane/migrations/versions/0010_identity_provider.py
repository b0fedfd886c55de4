"""accounts that come in through an identity provider"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    for name in ("identity_issuer", "identity_subject", "identity_login"):
        op.add_column("users", sa.Column(name, sa.Text(), nullable=True))
    for name, rule in (
        ("one_identity", "num_nonnulls(identity_subject, identity_login) = num_nonnulls(identity_issuer)"),
        ("service_has_no_identity", "NOT service OR identity_issuer IS NULL"),
    ):
        op.create_check_constraint(op.f(f"ck_users_{name}"), "users", rule)
    for name in ("identity_subject", "identity_login"):
        op.create_unique_constraint(op.f(f"uq_users_identity_issuer_{name}"), "users", ["identity_issuer", name])
    op.add_column("sign_ins", sa.Column("issuer", sa.Text(), nullable=True))
    op.add_column("sign_ins", sa.Column("provider_factor", sa.Boolean(), nullable=False, server_default="false"))
    op.alter_column("sign_ins", "provider_factor", server_default=None)
