"""what a request shows: files that come with it, and lists of what was decided by department and kind"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

APP_ROLE, CENTRE_ROLE = "steppe_app", "steppe_centre"

_OWN = "string_to_array(nullif(current_setting('steppe.departments', true), ''), ',')::uuid[]"


# A round begins where its first approvals open, which is when they are due less the hours that they have (handing one
# over changes neither). While it lies with the asker, between a return and the next submission, nobody's time runs.
_TIMES = """
    CREATE VIEW request_times WITH (security_invoker = true) AS
    SELECT r.id, r.kind, r.department_id, r.decided_at,
           (extract(epoch FROM r.decided_at - r.submitted_at + coalesce(earlier.spent, interval '0')) / 3600)::float8
               AS hours,
           EXISTS (SELECT FROM request_steps s WHERE s.request_id = r.id) AS by_people
    FROM requests r
    LEFT JOIN LATERAL (
        SELECT sum(ended - began) AS spent
        FROM (
            SELECT min(s.due_at - make_interval(hours => s.hours)) AS began, max(s.decided_at) AS ended
            FROM request_steps s WHERE s.request_id = r.id GROUP BY s.round
        ) round
        WHERE began < r.submitted_at
    ) earlier ON true
    WHERE r.submitted_at IS NOT NULL AND r.decided_at IS NOT NULL
"""


def upgrade() -> None:
    op.create_table(
        "request_attachments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("department_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("added_by", sa.Uuid(), nullable=False),
        sa.Column("added_by_name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["department_id"], ["departments.id"], name=op.f("fk_request_attachments_department_id")
        ),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name=op.f("fk_request_attachments_request_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_request_attachments")),
    )
    op.create_index(op.f("ix_request_attachments_request_id_id"), "request_attachments", ["request_id", "id"])
    # PDF, pictures and Office files are packed already: trying to pack them once more costs time and saves nothing.
    op.execute("ALTER TABLE request_attachments ALTER content SET STORAGE EXTERNAL")
    op.execute("ALTER TABLE request_attachments ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant ON request_attachments TO {APP_ROLE} USING (department_id = ANY({_OWN}))")
    op.execute(f"CREATE POLICY centre ON request_attachments TO {CENTRE_ROLE} USING (true)")
    op.execute(f"GRANT SELECT, INSERT, DELETE ON request_attachments TO {APP_ROLE}")
    for name, column in (("department", "department_id"), ("kind", "kind")):
        op.create_index(
            f"ix_requests_decided_by_{name}",
            "requests",
            [column, "decided_at", "id"],
            postgresql_where=sa.text("decided_at IS NOT NULL"),
        )
    op.execute(_TIMES)
    op.execute(f"GRANT SELECT ON request_times TO {APP_ROLE}")
