"""mail and webhooks: addresses of people, what they want, webhooks, and deliveries that tell_people makes"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"

APP_ROLE, CENTRE_ROLE = "steppe_app", "steppe_centre"

_OWN = "string_to_array(nullif(current_setting('steppe.departments', true), ''), ',')::uuid[]"
_PERSON = "nullif(current_setting('steppe.person', true), '')::uuid"

SEEN = {
    "mail_choices": f"user_id = {_PERSON}",
    "webhooks": f"department_id = ANY({_OWN})",
    "deliveries": f"department_id = ANY({_OWN})",
}

# Who is told of something may be somebody whose account the teller does not see, such as an administrator.
_TELL = """
    CREATE OR REPLACE FUNCTION tell_people(notices jsonb) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        WITH n AS MATERIALIZED (
            SELECT n.*, gen_random_uuid() AS event_id, coalesce(q.department_id, r.department_id) AS about
            FROM ROWS FROM (
                jsonb_to_recordset(notices)
                AS (event text, category text, params jsonb, request uuid, resource uuid, people uuid[], role text,
                    departments uuid[])
            ) WITH ORDINALITY n(event, category, params, request, resource, people, role, departments, place)
            LEFT JOIN requests q ON q.id = n.request LEFT JOIN resources r ON r.id = n.resource
        ), told AS (
            INSERT INTO notifications (user_id, event, params, request_id, resource_id)
            SELECT DISTINCT ON (n.place, u.id) u.id, n.event, n.params, n.request, n.resource
            FROM n JOIN users u ON u.disabled_at IS NULL AND NOT u.service AND (
                u.id = ANY(n.people)
                OR u.role = n.role AND (n.departments IS NULL OR u.department_id = ANY(n.departments))
            )
            RETURNING id, user_id, event
        ), mailed AS (
            INSERT INTO deliveries (channel, notification_id, event, event_id)
            SELECT 'mail', told.id, told.event, gen_random_uuid()
            FROM told JOIN users u ON u.id = told.user_id AND u.email IS NOT NULL
            JOIN (SELECT DISTINCT event, category FROM n) known ON known.event = told.event
            WHERE NOT EXISTS (
                SELECT FROM mail_choices c WHERE c.user_id = u.id AND c.category = known.category AND NOT c.mail
            )
        )
        INSERT INTO deliveries (channel, webhook_id, department_id, event, event_id, payload, next_try_at)
        SELECT DISTINCT ON (w.id, n.event, n.request, n.resource, n.params)
               'webhook', w.id, w.department_id, n.event, n.event_id,
               jsonb_build_object(
                   'department', d.code, 'request', n.request, 'resource', n.resource, 'params', n.params
               ),
               greatest(now(), w.retry_at)
        FROM n LEFT JOIN departments d ON d.id = n.about
        JOIN webhooks w ON w.enabled AND (w.events = '{}' OR n.event = ANY(w.events))
             AND (w.department_id IS NULL OR w.department_id = ANY(d.lineage))
        ORDER BY w.id, n.event, n.request, n.resource, n.params, n.place
    $$
"""


def upgrade() -> None:
    op.add_column("users", sa.Column("email", sa.Text(), nullable=True))
    _index_inboxes()
    _create_choices()
    _create_webhooks()
    _create_deliveries()
    for table, seen in SEEN.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} TO {APP_ROLE} USING ({seen})")
        op.execute(f"CREATE POLICY centre ON {table} TO {CENTRE_ROLE} USING (true)")
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {APP_ROLE}")
    op.execute(f"GRANT DELETE ON notifications TO {CENTRE_ROLE}")
    op.execute(_TELL)


def _index_inboxes() -> None:
    op.drop_index("ix_notifications_unread", "notifications")
    op.drop_index(op.f("ix_notifications_user_id_id"), "notifications")
    unread = sa.text("read_at IS NULL")
    op.create_index("ix_notifications_unread", "notifications", ["user_id", "at", "id"], postgresql_where=unread)
    op.create_index(op.f("ix_notifications_user_id_at_id"), "notifications", ["user_id", "at", "id"])
    op.create_index(op.f("ix_notifications_at"), "notifications", ["at"])


def _create_choices() -> None:
    op.create_table(
        "mail_choices",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("mail", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_mail_choices_user_id")),
        sa.PrimaryKeyConstraint("user_id", "category", name=op.f("pk_mail_choices")),
    )


def _create_webhooks() -> None:
    instant = sa.DateTime(timezone=True)
    op.create_table(
        "webhooks",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("department_id", sa.Uuid(), nullable=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("previous_secret", sa.LargeBinary(), nullable=True),
        sa.Column("previous_until", instant, nullable=True),
        sa.Column("events", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("retry_at", instant, nullable=True),
        sa.Column("owner_id", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", instant, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", instant, server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("enabled = (disabled_reason IS NULL)", name=op.f("ck_webhooks_disabled_for_a_reason")),
        sa.CheckConstraint(
            "(previous_secret IS NULL) = (previous_until IS NULL)", name=op.f("ck_webhooks_previous_for_a_time")
        ),
        sa.ForeignKeyConstraint(["department_id"], ["departments.id"], name=op.f("fk_webhooks_department_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_webhooks_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    of_department = ["department_id", "created_at", "id"]
    op.create_index(op.f("ix_webhooks_department_id_created_at_id"), "webhooks", of_department)
    op.create_index(op.f("ix_webhooks_created_at_id"), "webhooks", ["created_at", "id"])


def _create_deliveries() -> None:
    instant, now = sa.DateTime(timezone=True), sa.text("now()")
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("department_id", sa.Uuid(), nullable=True),
        sa.Column("notification_id", sa.BigInteger(), nullable=True),
        sa.Column("webhook_id", sa.Uuid(), nullable=True),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=True),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("made_at", instant, server_default=now, nullable=False),
        sa.Column("next_try_at", instant, server_default=now, nullable=False),
        *(sa.Column(name, instant, nullable=True) for name in ("last_try_at", "delivered_at")),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("repeats", sa.Uuid(), nullable=True),
        sa.CheckConstraint("channel IN ('mail', 'webhook')", name=op.f("ck_deliveries_channel_known")),
        sa.CheckConstraint(
            "state IN ('waiting', 'held', 'delivered', 'failed', 'dropped')", name=op.f("ck_deliveries_state_known")
        ),
        sa.CheckConstraint("(webhook_id IS NULL) = (channel = 'mail')", name=op.f("ck_deliveries_one_target")),
        *(
            sa.ForeignKeyConstraint([name], [target], name=op.f(f"fk_deliveries_{name}"))
            for name, target in (
                ("department_id", "departments.id"),
                ("notification_id", "notifications.id"),
                ("webhook_id", "webhooks.id"),
            )
        ),
        sa.ForeignKeyConstraint(
            ["repeats"], ["deliveries.id"], name=op.f("fk_deliveries_repeats"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
    )
    waiting = sa.text("state = 'waiting'")
    op.create_index("ix_deliveries_due", "deliveries", ["channel", "next_try_at", "id"], postgresql_where=waiting)
    op.create_index(op.f("ix_deliveries_webhook_id_made_at_id"), "deliveries", ["webhook_id", "made_at", "id"])
    op.create_index(
        op.f("ix_deliveries_department_id_made_at_id"),
        "deliveries",
        ["department_id", "made_at", "id"],
        postgresql_where=sa.text("department_id IS NOT NULL"),
    )
    for name in ("notification_id", "repeats"):
        op.create_index(
            op.f(f"ix_deliveries_{name}"), "deliveries", [name], postgresql_where=sa.text(f"{name} IS NOT NULL")
        )
    op.create_index(op.f("ix_deliveries_made_at"), "deliveries", ["made_at"])
