"""separated powers, second factors, sessions on the server, tokens that have an owner"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"

APP_ROLE = "steppe_app"

_ROLES = (
    "role IN ('system_admin', 'security_admin', 'audit_admin', 'operator', "
    "'department_manager', 'department_member', 'auditor')"
)
_REASONS = sa.Enum("decision", "unused", "left", native_enum=False)
_ENDS = sa.Enum("signed_out", "ended", "superseded", "changed", "disabled", "left", native_enum=False)


def upgrade() -> None:
    _users()
    _sign_ins()
    _tokens()


def _users() -> None:
    texts = postgresql.ARRAY(sa.Text())
    instant = sa.DateTime(timezone=True)
    filled: tuple[tuple[str, Any, str], ...] = (
        ("service", sa.Boolean(), "false"),
        ("previous_hashes", texts, "{}"),
        ("must_change_password", sa.Boolean(), "false"),
        ("recovery_hashes", texts, "{}"),
        ("networks", texts, "{}"),
    )
    for name, kind, value in filled:
        op.add_column("users", sa.Column(name, kind, nullable=False, server_default=value))
        op.alter_column("users", name, server_default=None)
    empty: tuple[tuple[str, Any], ...] = (
        ("password_changed_at", instant),
        ("totp_secret", sa.LargeBinary()),
        ("totp_enrolled_at", instant),
        ("totp_last_counter", sa.BigInteger()),
        ("last_sign_in_at", instant),
        ("disabled_reason", _REASONS),
    )
    for name, kind in empty:
        op.add_column("users", sa.Column(name, kind, nullable=True))
    op.add_column("users", sa.Column("last_active_at", instant, nullable=False, server_default=sa.text("now()")))
    op.alter_column("users", "password_hash", nullable=True)
    op.execute("UPDATE users SET password_changed_at = created_at")
    op.execute("UPDATE users SET disabled_reason = 'decision' WHERE disabled_at IS NOT NULL")
    op.drop_constraint(op.f("ck_users_role_known"), "users")
    op.create_check_constraint(op.f("ck_users_role_known"), "users", _ROLES)
    for name, rule in (
        ("service_has_tokens", "NOT service OR (password_hash IS NULL AND totp_secret IS NULL)"),
        ("disabled_for_a_reason", "(disabled_at IS NULL) = (disabled_reason IS NULL)"),
        ("enrolled_has_a_secret", "totp_enrolled_at IS NULL OR totp_secret IS NOT NULL"),
    ):
        op.create_check_constraint(op.f(f"ck_users_{name}"), "users", rule)
    op.create_index(op.f("ix_users_role"), "users", ["role"], postgresql_where=sa.text("disabled_at IS NULL"))


def _sign_ins() -> None:
    op.create_table(
        "sign_ins",
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("agent", sa.Text(), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("second_factor_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", _ENDS, nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sign_ins_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_ins")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_sign_ins_secret_hash")),
    )
    op.create_index(op.f("ix_sign_ins_user_id"), "sign_ins", ["user_id"], postgresql_where=sa.text("ended_at IS NULL"))
    op.create_index(op.f("ix_sign_ins_last_seen_at"), "sign_ins", ["last_seen_at"])
    op.create_table(
        "sign_in_tries",
        sa.Column("name_hash", sa.LargeBinary(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name_hash", name=op.f("pk_sign_in_tries")),
    )
    op.create_index(op.f("ix_sign_in_tries_last_at"), "sign_in_tries", ["last_at"])
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON sign_ins, sign_in_tries TO {APP_ROLE}")


def _tokens() -> None:
    # A token of before had no owner whose rules it could be under: programs get new ones.
    op.execute("DELETE FROM api_tokens")
    op.drop_constraint(op.f("ck_api_tokens_role_known"), "api_tokens")
    op.drop_constraint(op.f("ck_api_tokens_department_fits_role"), "api_tokens")
    op.drop_column("api_tokens", "role")
    op.add_column("api_tokens", sa.Column("user_id", sa.Uuid(), nullable=False))
    op.add_column("api_tokens", sa.Column("actions", postgresql.ARRAY(sa.Text()), nullable=True))
    op.add_column("api_tokens", sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True))
    op.alter_column("api_tokens", "expires_at", nullable=False)
    op.create_foreign_key(op.f("fk_api_tokens_user_id"), "api_tokens", "users", ["user_id"], ["id"])
    op.create_index(op.f("ix_api_tokens_user_id"), "api_tokens", ["user_id"])
