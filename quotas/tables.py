"""Accounts and postings: the two tables of the ledger.

They have a metadata of their own so that the room stays a leaf; the control plane's migrations include it. The
balances on an account are a cache of its postings, kept in the same transaction and checked by `quotas.verify`. What a
CHECK cannot say (a balance grows only up to the limit, a posting never changes) is said by triggers in the migrations.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
)

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = MetaData(naming_convention=NAMING)

accounts = Table(
    "ledger_accounts",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("owner", Uuid, nullable=False),
    Column("owner_kind", Text, nullable=False),
    Column("resource_class", Text, nullable=False),
    Column("limit", BigInteger, nullable=True),
    Column("held", BigInteger, nullable=False, server_default="0"),
    Column("used", BigInteger, nullable=False, server_default="0"),
    UniqueConstraint("owner", "resource_class"),
    CheckConstraint("held >= 0", name="held_not_negative"),
    CheckConstraint("used >= 0", name="used_not_negative"),
    CheckConstraint('"limit" >= 0', name="limit_not_negative"),
    CheckConstraint("owner_kind IN ('department', 'pool')", name="owner_kind_known"),
)

postings = Table(
    "ledger_postings",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("account_id", BigInteger, ForeignKey("ledger_accounts.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Uuid, nullable=True),
    Column("origin", Uuid, nullable=True),
    Column("held", BigInteger, nullable=False, server_default="0"),
    Column("used", BigInteger, nullable=False, server_default="0"),
    Column("limit_after", BigInteger, nullable=True),
    CheckConstraint("kind IN ('hold', 'commit', 'void', 'release', 'adjust', 'limit')", name="kind_known"),
    CheckConstraint("kind = 'limit' OR subject IS NOT NULL", name="movement_has_subject"),
    CheckConstraint("kind <> 'limit' OR (held = 0 AND used = 0)", name="limit_moves_nothing"),
    Index(None, "account_id", "at"),
    Index(None, "subject"),
)
