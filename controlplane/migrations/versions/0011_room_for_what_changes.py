"""room on each page for what changes all the time, so that a new version of a row needs no new entry in any index"""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    for table in ("ledger_accounts", "subnets"):
        op.execute(f"ALTER TABLE {table} SET (fillfactor = 50)")
