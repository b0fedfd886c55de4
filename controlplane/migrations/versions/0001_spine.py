"""the spine"""

import sqlalchemy as sa
from alembic import op
from procrastinate.schema import SchemaManager
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


APP_ROLE = "steppe_app"
APPEND_ONLY = ("ledger_postings", "audit_events")

GUARDS = (
    # A CHECK cannot see the row before, and a limit may be set below what is already used: only growth is refused.
    """
    CREATE FUNCTION ledger_admit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'INSERT' THEN
            IF NEW.used <> 0 OR NEW.held <> 0 THEN
                RAISE EXCEPTION 'a ledger account starts empty' USING ERRCODE = 'check_violation';
            END IF;
        ELSIF NEW.used + NEW.held > OLD.used + OLD.held AND NEW.used + NEW.held > NEW."limit" THEN
            RAISE EXCEPTION 'ledger account % would pass its limit', NEW.id USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER ledger_admit BEFORE INSERT OR UPDATE OF used, held ON ledger_accounts
        FOR EACH ROW EXECUTE FUNCTION ledger_admit()
    """,
    """
    CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% is append only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
    END $$
    """,
)


def upgrade() -> None:
    _create_tables()
    op.get_bind().exec_driver_sql(SchemaManager.get_schema().replace("%", "%%"))
    for statement in GUARDS:
        op.execute(statement)
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION append_only()"
        )
    _grant()


def _grant() -> None:
    # Roles are of the whole server: another database of it may have made this one, even at this moment.
    op.execute(
        f"""
        DO $$ BEGIN
            CREATE ROLE {APP_ROLE} NOLOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END $$
        """
    )
    op.execute(f"GRANT {APP_ROLE} TO CURRENT_USER")
    op.execute(f"GRANT USAGE ON SCHEMA public TO {APP_ROLE}")
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {APP_ROLE}")
    op.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {APP_ROLE}")
    for table in APPEND_ONLY:
        op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {APP_ROLE}")


def _create_tables() -> None:
    op.create_table(
        "audit_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column("actor_name", sa.Text(), nullable=False),
        sa.Column("actor_role", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("target_kind", sa.Text(), nullable=False),
        sa.Column("target_id", sa.Uuid(), nullable=False),
        sa.Column("target_name", sa.Text(), nullable=False),
        sa.Column("department_id", sa.Uuid(), nullable=True),
        sa.Column("trace", sa.Text(), nullable=True),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_events")),
    )
    op.create_index(op.f("ix_audit_events_at"), "audit_events", ["at"], unique=False)
    op.create_index(op.f("ix_audit_events_department_id_id"), "audit_events", ["department_id", "id"], unique=False)
    op.create_index(op.f("ix_audit_events_target_id_id"), "audit_events", ["target_id", "id"], unique=False)
    op.create_table(
        "flavors",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("vcpu", sa.Integer(), nullable=False),
        sa.Column("memory_mib", sa.Integer(), nullable=False),
        sa.Column("disk_gib", sa.Integer(), nullable=False),
        sa.Column("offered", sa.Boolean(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("vcpu > 0 AND memory_mib > 0 AND disk_gib > 0", name=op.f("ck_flavors_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flavors")),
        sa.UniqueConstraint("code", name=op.f("uq_flavors_code")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("caller", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("caller", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(op.f("ix_idempotency_keys_created_at"), "idempotency_keys", ["created_at"], unique=False)
    op.create_table(
        "images",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("os", sa.Text(), nullable=False),
        sa.Column("min_disk_gib", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("offered", sa.Boolean(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("min_disk_gib > 0", name=op.f("ck_images_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_images")),
        sa.UniqueConstraint("code", name=op.f("uq_images_code")),
    )
    op.create_table(
        "sites",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("level IN ('region', 'prefecture', 'county')", name=op.f("ck_sites_level_known")),
        sa.ForeignKeyConstraint(["parent_id"], ["sites.id"], name=op.f("fk_sites_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sites")),
        sa.UniqueConstraint("code", name=op.f("uq_sites_code")),
    )
    op.create_index(op.f("ix_sites_parent_id"), "sites", ["parent_id"], unique=False)
    op.create_table(
        "departments",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("lineage", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["parent_id"], ["departments.id"], name=op.f("fk_departments_parent_id")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_departments_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_departments")),
        sa.UniqueConstraint("code", name=op.f("uq_departments_code")),
    )
    op.create_index(op.f("ix_departments_lineage"), "departments", ["lineage"], unique=False, postgresql_using="gin")
    op.create_index(op.f("ix_departments_name_id"), "departments", ["name", "id"], unique=False)
    op.create_index(op.f("ix_departments_parent_id"), "departments", ["parent_id"], unique=False)
    op.create_index(op.f("ix_departments_site_id"), "departments", ["site_id"], unique=False)
    op.create_table(
        "pools",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("mlps_level", sa.Integer(), nullable=False),
        sa.Column("driver", sa.Text(), nullable=False),
        sa.Column("connection", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("accepting", sa.Boolean(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("mlps_level BETWEEN 1 AND 4", name=op.f("ck_pools_mlps_level_known")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_pools_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pools")),
        sa.UniqueConstraint("code", name=op.f("uq_pools_code")),
    )
    op.create_index(op.f("ix_pools_kind_code"), "pools", ["kind", "code"], unique=False)
    op.create_index(op.f("ix_pools_site_id"), "pools", ["site_id"], unique=False)
    op.create_table(
        "subnets",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("cidr", sa.Text(), nullable=False),
        sa.Column("gateway", sa.Text(), nullable=True),
        sa.Column("dns", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("reserved", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("excluded", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("first_free", sa.Text(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_subnets_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subnets")),
        sa.UniqueConstraint("code", name=op.f("uq_subnets_code")),
    )
    op.create_index(op.f("ix_subnets_site_id"), "subnets", ["site_id"], unique=False)
    op.create_table(
        "api_tokens",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "role",
            sa.Enum("system_admin", "department_manager", "department_member", "auditor", native_enum=False),
            nullable=False,
        ),
        sa.Column("department_id", sa.Uuid(), nullable=True),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(department_id IS NOT NULL) = (role IN ('department_manager', 'department_member'))",
            name=op.f("ck_api_tokens_department_fits_role"),
        ),
        sa.CheckConstraint(
            "role IN ('system_admin', 'department_manager', 'department_member', 'auditor')",
            name=op.f("ck_api_tokens_role_known"),
        ),
        sa.ForeignKeyConstraint(["department_id"], ["departments.id"], name=op.f("fk_api_tokens_department_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_api_tokens_secret_hash")),
    )
    op.create_index(op.f("ix_api_tokens_department_id"), "api_tokens", ["department_id"], unique=False)
    op.create_table(
        "pool_capacity",
        sa.Column("pool_id", sa.Uuid(), nullable=False),
        sa.Column("resource_class", sa.Text(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=True),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("ratio", sa.Numeric(precision=8, scale=3), nullable=False),
        sa.CheckConstraint("reserved >= 0 AND reserved <= total AND ratio > 0", name=op.f("ck_pool_capacity_sensible")),
        sa.ForeignKeyConstraint(["pool_id"], ["pools.id"], name=op.f("fk_pool_capacity_pool_id")),
        sa.PrimaryKeyConstraint("pool_id", "resource_class", name=op.f("pk_pool_capacity")),
    )
    op.create_table(
        "requests",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("department_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("items", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("asked_by_name", sa.Text(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("state IN ('approved')", name=op.f("ck_requests_state_known")),
        sa.ForeignKeyConstraint(["department_id"], ["departments.id"], name=op.f("fk_requests_department_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_requests")),
    )
    op.create_index(op.f("ix_requests_created_at_id"), "requests", ["created_at", "id"], unique=False)
    op.create_index(
        op.f("ix_requests_department_id_created_at_id"), "requests", ["department_id", "created_at", "id"], unique=False
    )
    op.create_table(
        "systems",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("department_id", sa.Uuid(), nullable=False),
        sa.Column("mlps_level", sa.Integer(), nullable=False),
        sa.Column("contact_name", sa.Text(), nullable=False),
        sa.Column("contact_phone", sa.Text(), nullable=False),
        sa.Column("contact_email", sa.Text(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("mlps_level BETWEEN 1 AND 4", name=op.f("ck_systems_mlps_level_known")),
        sa.ForeignKeyConstraint(["department_id"], ["departments.id"], name=op.f("fk_systems_department_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_systems")),
        sa.UniqueConstraint("department_id", "code", name=op.f("uq_systems_department_id_code")),
    )
    op.create_index(op.f("ix_systems_code_id"), "systems", ["code", "id"], unique=False)
    op.create_table(
        "users",
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "role",
            sa.Enum("system_admin", "department_manager", "department_member", "auditor", native_enum=False),
            nullable=False,
        ),
        sa.Column("department_id", sa.Uuid(), nullable=True),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(department_id IS NOT NULL) = (role IN ('department_manager', 'department_member'))",
            name=op.f("ck_users_department_fits_role"),
        ),
        sa.CheckConstraint(
            "role IN ('system_admin', 'department_manager', 'department_member', 'auditor')",
            name=op.f("ck_users_role_known"),
        ),
        sa.ForeignKeyConstraint(["department_id"], ["departments.id"], name=op.f("fk_users_department_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("username", name=op.f("uq_users_username")),
    )
    op.create_index(op.f("ix_users_department_id"), "users", ["department_id"], unique=False)
    op.create_table(
        "resources",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("department_id", sa.Uuid(), nullable=False),
        sa.Column("system_id", sa.Uuid(), nullable=True),
        sa.Column("pool_id", sa.Uuid(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("spread_group", sa.Text(), nullable=True),
        sa.Column(
            "state",
            sa.Enum("building", "running", "stopped", "changing", "deleting", "deleted", "faulted", native_enum=False),
            nullable=False,
        ),
        sa.Column("desired", sa.Text(), nullable=False),
        sa.Column("spec", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("wanted", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("demand", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("observed_generation", sa.Integer(), nullable=False),
        sa.Column("observed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fault_code", sa.Text(), nullable=True),
        sa.Column("fault_detail", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("desired IN ('present', 'absent')", name=op.f("ck_resources_desired_known")),
        sa.CheckConstraint(
            "state IN ('building', 'running', 'stopped', 'changing', 'deleting', 'deleted', 'faulted')",
            name=op.f("ck_resources_state_known"),
        ),
        sa.ForeignKeyConstraint(["department_id"], ["departments.id"], name=op.f("fk_resources_department_id")),
        sa.ForeignKeyConstraint(["pool_id"], ["pools.id"], name=op.f("fk_resources_pool_id")),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name=op.f("fk_resources_request_id")),
        sa.ForeignKeyConstraint(["system_id"], ["systems.id"], name=op.f("fk_resources_system_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resources")),
    )
    op.create_index(
        op.f("ix_resources_department_id_kind_created_at_id"),
        "resources",
        ["department_id", "kind", "created_at", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_resources_kind_created_at_id"), "resources", ["kind", "created_at", "id"], unique=False)
    op.create_index(op.f("ix_resources_kind_name_id"), "resources", ["kind", "name", "id"], unique=False)
    op.create_index(op.f("ix_resources_kind_state"), "resources", ["kind", "state"], unique=False)
    op.create_index(op.f("ix_resources_pool_id"), "resources", ["pool_id"], unique=False)
    op.create_index(op.f("ix_resources_request_id"), "resources", ["request_id"], unique=False)
    op.create_index(
        "ix_resources_spread_group",
        "resources",
        ["department_id", "spread_group"],
        unique=False,
        postgresql_where=sa.text("spread_group IS NOT NULL"),
    )
    op.create_index(op.f("ix_resources_system_id"), "resources", ["system_id"], unique=False)
    op.create_index(
        "uq_resources_live_name",
        "resources",
        ["department_id", "kind", "name"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "claims",
        sa.Column("subnet_id", sa.Uuid(), nullable=False),
        sa.Column("address", postgresql.INET(), nullable=False),
        sa.Column("resource_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["resource_id"], ["resources.id"], name=op.f("fk_claims_resource_id"), initially="DEFERRED", deferrable=True
        ),
        sa.ForeignKeyConstraint(["subnet_id"], ["subnets.id"], name=op.f("fk_claims_subnet_id")),
        sa.PrimaryKeyConstraint("subnet_id", "address", name=op.f("pk_claims")),
    )
    op.create_index(op.f("ix_claims_resource_id"), "claims", ["resource_id"], unique=False)
    op.create_table(
        "ledger_accounts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("owner", sa.Uuid(), nullable=False),
        sa.Column("owner_kind", sa.Text(), nullable=False),
        sa.Column("resource_class", sa.Text(), nullable=False),
        sa.Column("limit", sa.BigInteger(), nullable=True),
        sa.Column("held", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("used", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("owner_kind IN ('department', 'pool')", name=op.f("ck_ledger_accounts_owner_kind_known")),
        sa.CheckConstraint('"limit" >= 0', name=op.f("ck_ledger_accounts_limit_not_negative")),
        sa.CheckConstraint("held >= 0", name=op.f("ck_ledger_accounts_held_not_negative")),
        sa.CheckConstraint("used >= 0", name=op.f("ck_ledger_accounts_used_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_accounts")),
        sa.UniqueConstraint("owner", "resource_class", name=op.f("uq_ledger_accounts_owner_resource_class")),
    )
    op.create_table(
        "ledger_postings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Uuid(), nullable=True),
        sa.Column("origin", sa.Uuid(), nullable=True),
        sa.Column("held", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("used", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("limit_after", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "kind <> 'limit' OR (held = 0 AND used = 0)", name=op.f("ck_ledger_postings_limit_moves_nothing")
        ),
        sa.CheckConstraint(
            "kind = 'limit' OR subject IS NOT NULL", name=op.f("ck_ledger_postings_movement_has_subject")
        ),
        sa.CheckConstraint(
            "kind IN ('hold', 'commit', 'void', 'release', 'adjust', 'limit')",
            name=op.f("ck_ledger_postings_kind_known"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["ledger_accounts.id"], name=op.f("fk_ledger_postings_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_postings")),
    )
    op.create_index(op.f("ix_ledger_postings_account_id_at"), "ledger_postings", ["account_id", "at"], unique=False)
    op.create_index(op.f("ix_ledger_postings_subject"), "ledger_postings", ["subject"], unique=False)
