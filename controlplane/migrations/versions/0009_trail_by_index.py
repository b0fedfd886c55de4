"""the trail is read by time, and by what each filter asks for, by an index"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_TABLE = "audit_events"
_NOBODY = "'00000000-0000-0000-0000-000000000000'"


def upgrade() -> None:
    for name in ("ix_audit_events_at", "ix_audit_events_department_id_id"):
        op.drop_index(op.f(name), _TABLE)
    for columns in (["target_name"], ["at", "id"], ["department_id", "at", "id"], ["action", "at", "id"]):
        op.create_index(op.f(f"ix_audit_events_{'_'.join(columns)}"), _TABLE, columns)
    for name, columns, where in (
        ("ix_audit_events_failures", ["at", "id"], "outcome = 'failure'"),
        ("ix_audit_events_actor_id_at_id", ["actor_id", "at", "id"], f"actor_id <> {_NOBODY}"),
        ("ix_audit_events_actor_name_at_id", ["actor_name", "at", "id"], f"actor_id = {_NOBODY}"),
    ):
        op.create_index(op.f(name), _TABLE, columns, postgresql_where=sa.text(where))
