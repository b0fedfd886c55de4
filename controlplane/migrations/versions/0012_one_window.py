"""one window: drafts, approvals and their rules, what is said of requests, options of the centre, inboxes"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"

APP_ROLE, CENTRE_ROLE = "steppe_app", "steppe_centre"

_OWN = "string_to_array(nullif(current_setting('steppe.departments', true), ''), ',')::uuid[]"
_PERSON = "nullif(current_setting('steppe.person', true), '')::uuid"
_OF_A_DEPARTMENT = f"department_id = ANY({_OWN})"

SEEN = {
    "request_steps": _OF_A_DEPARTMENT,
    "request_comments": _OF_A_DEPARTMENT,
    "notifications": f"user_id = {_PERSON}",
}
STATES = (
    "'draft', 'submitted', 'in_review', 'approved', 'fulfilling', 'done', 'returned', 'refused', 'withdrawn', 'expired'"
)

# Who is told of something may be somebody whose account the teller does not see, such as an administrator.
_TELL = """
    CREATE FUNCTION tell_people(notices jsonb) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        INSERT INTO notifications (user_id, event, params, request_id, resource_id)
        SELECT DISTINCT ON (n.place, u.id) u.id, n.event, n.params, n.request, n.resource
        FROM ROWS FROM (
            jsonb_to_recordset(notices)
            AS (event text, params jsonb, request uuid, resource uuid, people uuid[], role text, departments uuid[])
        ) WITH ORDINALITY n(event, params, request, resource, people, role, departments, place)
        JOIN users u ON u.disabled_at IS NULL AND NOT u.service AND (
            u.id = ANY(n.people)
            OR u.role = n.role AND (n.departments IS NULL OR u.department_id = ANY(n.departments))
        )
    $$
"""


def upgrade() -> None:
    _extend_requests()
    _create_tables()
    for table, seen in SEEN.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} TO {APP_ROLE} USING ({seen})")
        op.execute(f"CREATE POLICY centre ON {table} TO {CENTRE_ROLE} USING (true)")
    op.execute(f"GRANT SELECT, INSERT, UPDATE ON request_steps, request_comments, notifications TO {APP_ROLE}")
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON routing_rules, centre_options TO {APP_ROLE}")
    op.execute(_TELL)


def _extend_requests() -> None:
    op.drop_constraint("ck_requests_state_known", "requests")
    op.execute("UPDATE requests SET state = 'fulfilling'")
    op.create_check_constraint(op.f("ck_requests_state_known"), "requests", f"state IN ({STATES})")
    op.add_column("requests", sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False))
    op.add_column("requests", sa.Column("title", sa.Text(), server_default="", nullable=False))
    op.add_column("requests", sa.Column("reason", sa.Text(), server_default="", nullable=False))
    op.add_column("requests", sa.Column("asked_for", sa.Uuid(), nullable=True))
    op.add_column("requests", sa.Column("held", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("requests", sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("requests", sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("requests", sa.Column("done_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("requests", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("requests", sa.Column("outcome", sa.Text(), nullable=True))
    op.add_column("requests", sa.Column("progress_key", sa.Uuid(), nullable=True))
    op.add_column("requests", sa.Column("progress_until", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_requests_decided",
        "requests",
        ["decided_at", "id"],
        unique=False,
        postgresql_where=sa.text("decided_at IS NOT NULL"),
    )
    op.create_index(
        "ix_requests_expiring",
        "requests",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('submitted', 'in_review')"),
    )
    op.create_index(
        "ix_requests_under_way", "requests", ["id"], unique=False, postgresql_where=sa.text("state = 'fulfilling'")
    )
    op.create_unique_constraint(op.f("uq_requests_number"), "requests", ["number"])


def _create_tables() -> None:
    op.create_table(
        "centre_options",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_centre_options")),
    )
    op.create_table(
        "routing_rules",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("applies", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("steps", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_routing_rules")),
        sa.UniqueConstraint("code", name=op.f("uq_routing_rules_code")),
    )
    op.create_table(
        "request_comments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("department_id", sa.Uuid(), nullable=False),
        sa.Column("author", sa.Uuid(), nullable=False),
        sa.Column("author_name", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["department_id"], ["departments.id"], name=op.f("fk_request_comments_department_id")),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name=op.f("fk_request_comments_request_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_request_comments")),
    )
    op.create_index(op.f("ix_request_comments_request_id_id"), "request_comments", ["request_id", "id"], unique=False)
    op.create_table(
        "request_steps",
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("department_id", sa.Uuid(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("hours", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("escalated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("handed_to", sa.Uuid(), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_by_name", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("comment", sa.Text(), server_default="", nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(decided_at IS NULL) = (state NOT IN ('approved', 'refused', 'returned'))",
            name=op.f("ck_request_steps_decided_when_decided"),
        ),
        sa.CheckConstraint(
            "state IN ('waiting', 'open', 'approved', 'refused', 'returned', 'dropped')",
            name=op.f("ck_request_steps_state_known"),
        ),
        sa.ForeignKeyConstraint(["department_id"], ["departments.id"], name=op.f("fk_request_steps_department_id")),
        sa.ForeignKeyConstraint(["handed_to"], ["users.id"], name=op.f("fk_request_steps_handed_to")),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name=op.f("fk_request_steps_request_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_request_steps")),
    )
    op.create_index(
        op.f("ix_request_steps_handed_to_due_at_id"),
        "request_steps",
        ["handed_to", "due_at", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'open' AND handed_to IS NOT NULL"),
    )
    op.create_index(
        "ix_request_steps_of_department",
        "request_steps",
        ["department_id", "due_at", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'open' AND role = 'department_manager'"),
    )
    op.create_index(
        op.f("ix_request_steps_request_id_round_stage_role"),
        "request_steps",
        ["request_id", "round", "stage", "role"],
        unique=True,
    )
    op.create_index(
        op.f("ix_request_steps_role_due_at_id"),
        "request_steps",
        ["role", "due_at", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index(
        "ix_request_steps_to_remind",
        "request_steps",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("state = 'open' AND escalated_at IS NULL"),
    )
    op.create_table(
        "notifications",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("params", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=True),
        sa.Column("resource_id", sa.Uuid(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name=op.f("fk_notifications_request_id")),
        sa.ForeignKeyConstraint(["resource_id"], ["resources.id"], name=op.f("fk_notifications_resource_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_notifications_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
    )
    op.create_index(
        "ix_notifications_unread",
        "notifications",
        ["user_id"],
        unique=False,
        postgresql_where=sa.text("read_at IS NULL"),
    )
    op.create_index(op.f("ix_notifications_user_id_id"), "notifications", ["user_id", "id"], unique=False)
