"""a tenant's transaction sees that tenant's rows: row-level security"""

from alembic import op

revision = "0008"
down_revision = "0007"

APP_ROLE, CENTRE_ROLE = "steppe_app", "steppe_centre"

_OWN = "string_to_array(nullif(current_setting('steppe.departments', true), ''), ',')::uuid[]"
_ABOVE = "string_to_array(nullif(current_setting('steppe.lineage', true), ''), ',')::uuid[]"
_CALLER = "nullif(current_setting('steppe.caller', true), '')::uuid"
_PERSON = "nullif(current_setting('steppe.person', true), '')::uuid"
_OF_A_RESOURCE = "EXISTS (SELECT FROM resources seen WHERE seen.id = resource_id)"
_OF_A_USER = "EXISTS (SELECT FROM users seen WHERE seen.id = user_id)"
_OF_A_DEPARTMENT = f"department_id = ANY({_OWN})"
_OF_AN_ACCOUNT = "account_id IN (SELECT seen.id FROM ledger_accounts seen WHERE seen.owner = ANY({own}))"

# What is shown to a tenant, and where it differs what a tenant may add. An ask counts against the limits above its
# department too, so those accounts, and the names of their owners, are seen.
SEEN = {
    "departments": f"id = ANY({_OWN}) OR id = ANY({_ABOVE})",
    "systems": _OF_A_DEPARTMENT,
    "requests": _OF_A_DEPARTMENT,
    "resources": _OF_A_DEPARTMENT,
    "claims": _OF_A_RESOURCE,
    "drifts": _OF_A_RESOURCE,
    "console_tickets": _OF_A_RESOURCE,
    "ledger_accounts": f"owner_kind = 'pool' OR owner = ANY({_OWN}) OR owner = ANY({_ABOVE})",
    "ledger_postings": f"origin = ANY({_OWN}) OR {_OF_AN_ACCOUNT.format(own=_OWN)}",
    "audit_events": f"{_OF_A_DEPARTMENT} OR actor_id = {_CALLER}",
    "idempotency_keys": f"caller = {_CALLER}",
    "users": f"{_OF_A_DEPARTMENT} OR id = {_PERSON}",
    "api_tokens": _OF_A_USER,
    "sign_ins": _OF_A_USER,
    # Keyed hashes and counts: they tell of nobody, and whoever is in counts his own wrong codes there.
    "sign_in_tries": f"{_PERSON} IS NOT NULL",
}
# The resource is made by the same statement, which does not see it yet; its foreign key does.
ADDED = {"claims": "true"}

JOBS = ("jobs", "events", "periodic_defers", "workers")
_DEFER = "procrastinate_defer_jobs_v1(procrastinate_job_to_defer_v1[])"

# Which addresses are taken must be known of all tenants, and no more than that is told.
TAKEN = (
    """
    CREATE FUNCTION taken_addresses(subnets uuid[], most integer) RETURNS TABLE (subnet uuid, taken text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    BEGIN
        RETURN QUERY
            SELECT s.id, host(c.address)
            FROM subnets s CROSS JOIN LATERAL (
                SELECT address FROM claims
                WHERE subnet_id = s.id AND claims.address >= s.first_free::inet
                ORDER BY claims.address LIMIT most
            ) c
            WHERE s.id = ANY(subnets);
    END $$
    """,
    """
    CREATE FUNCTION taken_addresses_from(subnet uuid, start inet, most integer) RETURNS SETOF text
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    BEGIN
        RETURN QUERY
            SELECT host(address) FROM claims WHERE subnet_id = subnet AND address >= start
            ORDER BY claims.address LIMIT most;
    END $$
    """,
)


def upgrade() -> None:
    op.execute(
        f"""
        DO $$ BEGIN
            CREATE ROLE {CENTRE_ROLE} NOLOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END $$
        """
    )
    op.execute(f"GRANT {APP_ROLE} TO {CENTRE_ROLE}")
    op.execute(f"GRANT {CENTRE_ROLE} TO CURRENT_USER")
    for table, seen in SEEN.items():
        added = ADDED.get(table, seen)
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} TO {APP_ROLE} USING ({seen}) WITH CHECK ({added})")
        op.execute(f"CREATE POLICY centre ON {table} TO {CENTRE_ROLE} USING (true)")
    for function in TAKEN:
        op.execute(function)
    _keep_jobs_to_the_centre()


def _keep_jobs_to_the_centre() -> None:
    """A tenant's transaction may defer a job, and neither read nor change one."""
    tables = ", ".join(f"procrastinate_{name}" for name in JOBS)
    op.execute(f"REVOKE ALL ON {tables} FROM {APP_ROLE}")
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO {CENTRE_ROLE}")
    op.execute(f"ALTER FUNCTION {_DEFER} SECURITY DEFINER SET search_path FROM CURRENT")
