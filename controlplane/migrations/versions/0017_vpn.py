"""VPN accounts: groups at gateways, accounts, sessions and logins; and all that a RADIUS server sees of them"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"

APP_ROLE, CENTRE_ROLE, RADIUS_ROLE = "steppe_app", "steppe_centre", "steppe_radius"

_OWN = "string_to_array(nullif(current_setting('steppe.departments', true), ''), ',')::uuid[]"
_OF_A_DEPARTMENT = f"department_id = ANY({_OWN})"
_OF_A_RESOURCE = "EXISTS (SELECT FROM resources seen WHERE seen.id = resource_id)"
# The resource is made by the same statement, which does not see it yet; its foreign key does.
SEEN = {
    "vpn_groups": (_OF_A_DEPARTMENT, _OF_A_DEPARTMENT),
    "vpn_accounts": (_OF_A_RESOURCE, "true"),
    "vpn_sessions": (_OF_A_DEPARTMENT, _OF_A_DEPARTMENT),
    "vpn_logins": (_OF_A_DEPARTMENT, _OF_A_DEPARTMENT),
}
MOMENT = sa.DateTime(timezone=True)

# Hashes are written and never read again but by RADIUS.
READABLE = (
    *("resource_id", "username", "person", "name_key", "number_key", "scheme", "issued_at"),
    *("totp_step", "last_login_at", "confirmed_at", "confirm_told_at"),
)

# A user name is unique in the centre; that one is taken is all that is told of another tenant's.
TAKEN_USERNAMES = """
    CREATE FUNCTION taken_usernames(asked text[]) RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
        SELECT a.username FROM unnest(asked) wanted(name) JOIN vpn_accounts a ON a.username = wanted.name
    $$
"""

# `allowed` is decided by what is wanted, not by what was observed: who is suspended is out at once.
RADIUS_ACCOUNTS = """
    CREATE VIEW radius_accounts WITH (security_barrier) AS
    SELECT a.username, p.code AS gateway, g.name AS group_name, g.session_minutes,
           a.scheme, a.hash, a.totp_secret, a.totp_step,
           r.id AS resource_id, r.department_id, r.lease_until,
           coalesce((r.wanted ->> 'max_sessions')::integer, 1) AS max_sessions,
           CASE WHEN r.desired <> 'present' THEN 'revoked'
                WHEN r.wanted ->> 'power' <> 'on' THEN 'suspended'
                WHEN r.lease_until <= now() THEN 'expired'
                WHEN a.hash IS NULL THEN 'no_password'
                WHEN g.id IS NULL THEN 'no_group'
           END AS obstacle
    FROM vpn_accounts a
    JOIN resources r ON r.id = a.resource_id
    JOIN pools p ON p.id = r.pool_id
    LEFT JOIN vpn_groups g
        ON g.pool_id = r.pool_id AND g.department_id = r.department_id AND g.system_id IS NOT DISTINCT FROM r.system_id
"""

RADIUS_CHECK = """
    CREATE VIEW radius_check WITH (security_barrier) AS
    SELECT username, gateway, c.attribute, ':='::text AS op, c.value
    FROM radius_accounts a CROSS JOIN LATERAL (VALUES
        (CASE WHEN a.obstacle IS NULL THEN a.scheme END, a.hash),
        (CASE WHEN a.obstacle IS NOT NULL THEN 'Auth-Type' END, 'Reject'),
        ('Simultaneous-Use', a.max_sessions::text),
        (CASE WHEN a.obstacle IS NULL AND a.totp_secret IS NOT NULL THEN 'Steppe-Totp-Secret' END, a.totp_secret)
    ) c(attribute, value)
    WHERE c.attribute IS NOT NULL
"""

RADIUS_REPLY = """
    CREATE VIEW radius_reply WITH (security_barrier) AS
    SELECT username, gateway, c.attribute, ':='::text AS op, c.value
    FROM radius_accounts a CROSS JOIN LATERAL (VALUES
        ('Class', 'OU=' || a.group_name),
        ('Acct-Interim-Interval', '60'),
        ('Session-Timeout', least(
            a.session_minutes * 60, extract(epoch FROM a.lease_until - now())::bigint
        )::text)
    ) c(attribute, value)
    WHERE a.obstacle IS NULL
"""

# Not updated for five minutes, a session is of a gateway that died without a word: it keeps nobody out.
SESSIONS = """
    CREATE FUNCTION radius_sessions(name text) RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
        SELECT count(*) FROM vpn_sessions
        WHERE username = name AND stopped IS NULL AND updated > now() - interval '5 minutes'
    $$
"""

TOTP_STEP = """
    CREATE FUNCTION radius_totp_used(name text, step bigint) RETURNS boolean
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
        WITH used AS (
            UPDATE vpn_accounts SET totp_step = step WHERE username = name AND totp_step < step RETURNING 1
        ) SELECT EXISTS (SELECT FROM used)
    $$
"""

# What RADIUS cannot tell apart, or may not tell the one who asks, is told here, from the same view.
LOGGED = """
    CREATE FUNCTION radius_logged(name text, nas text, client_address text, was_accepted boolean, why text)
    RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE
        known radius_accounts%ROWTYPE;
        written bigint;
    BEGIN
        SELECT * INTO known FROM radius_accounts WHERE username = name;
        INSERT INTO vpn_logins (at, username, gateway, resource_id, department_id, client, accepted, reason)
        VALUES (now(), left(name, 253), left(nas, 253), known.resource_id, known.department_id,
                radius_address(client_address), was_accepted,
                CASE WHEN was_accepted THEN NULL
                     WHEN known.username IS NULL THEN 'unknown'
                     WHEN known.gateway <> nas THEN 'other_gateway'
                     ELSE coalesce(known.obstacle, nullif(why, ''), 'wrong_password') END)
        RETURNING id INTO written;
        IF was_accepted THEN
            UPDATE vpn_accounts SET last_login_at = now() WHERE resource_id = known.resource_id;
        END IF;
        RETURN written;
    END $$
"""

ADDRESS = """
    CREATE FUNCTION radius_address(given text) RETURNS inet LANGUAGE plpgsql IMMUTABLE AS $$
    BEGIN
        RETURN nullif(given, '')::inet;
    EXCEPTION WHEN invalid_text_representation THEN
        RETURN NULL;
    END $$
"""

# One that has stopped stays so: packets may come twice, and in any order.
ACCOUNTING = """
    CREATE FUNCTION radius_accounting(
        status text, packet_id text, session text, name text, nas text, client_address text, tunnel_address text,
        lasted bigint, received bigint, sent bigint, why text
    ) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE
        known radius_accounts%ROWTYPE;
        written bigint;
    BEGIN
        SELECT * INTO known FROM radius_accounts WHERE username = name;
        INSERT INTO vpn_sessions AS s (
            unique_id, session_id, username, gateway, resource_id, department_id, client, address,
            started, updated, stopped, seconds, bytes_in, bytes_out, cause
        )
        VALUES (
            left(packet_id, 253), left(session, 253), left(name, 253), left(nas, 253),
            known.resource_id, known.department_id, radius_address(client_address), radius_address(tunnel_address),
            now() - make_interval(secs => coalesce(lasted, 0)), now(),
            CASE WHEN status = 'Stop' THEN now() END,
            coalesce(lasted, 0), coalesce(received, 0), coalesce(sent, 0),
            CASE WHEN status = 'Stop' THEN nullif(left(why, 253), '') END
        )
        ON CONFLICT (unique_id) DO UPDATE SET
            updated = now(),
            stopped = coalesce(s.stopped, EXCLUDED.stopped),
            cause = coalesce(s.cause, EXCLUDED.cause),
            address = coalesce(EXCLUDED.address, s.address),
            seconds = greatest(s.seconds, EXCLUDED.seconds),
            bytes_in = greatest(s.bytes_in, EXCLUDED.bytes_in),
            bytes_out = greatest(s.bytes_out, EXCLUDED.bytes_out)
        RETURNING s.id INTO written;
        RETURN written;
    END $$
"""

RESTARTED = """
    CREATE FUNCTION radius_gateway_restarted(nas text) RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
        WITH ended AS (
            UPDATE vpn_sessions SET stopped = now(), updated = now(), cause = 'NAS-Reboot'
            WHERE gateway = nas AND stopped IS NULL RETURNING 1
        ) SELECT count(*) FROM ended
    $$
"""

FUNCTIONS = {
    "radius_sessions(text)": SESSIONS,
    "radius_totp_used(text, bigint)": TOTP_STEP,
    "radius_logged(text, text, text, boolean, text)": LOGGED,
    "radius_accounting(text, text, text, text, text, text, text, bigint, bigint, bigint, text)": ACCOUNTING,
    "radius_gateway_restarted(text)": RESTARTED,
}

# All that has its maker's rights, and was anybody's to call while there was nobody but these two.
OF_APPLICATIONS = (
    "procrastinate_defer_jobs_v1(procrastinate_job_to_defer_v1[])",
    "taken_addresses(uuid[], integer)",
    "taken_addresses_from(uuid, inet, integer)",
    "taken_usernames(text[])",
    "tell_people(jsonb)",
)


def upgrade() -> None:
    """Make tables, keep tenants apart in them, and give RADIUS a role that has views and functions alone."""
    _groups()
    _accounts()
    _sessions()
    _logins()
    for table, (seen, added) in SEEN.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} TO {APP_ROLE} USING ({seen}) WITH CHECK ({added})")
        op.execute(f"CREATE POLICY centre ON {table} TO {CENTRE_ROLE} USING (true)")
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON vpn_groups TO {APP_ROLE}")
    op.execute(f"GRANT SELECT ON vpn_sessions, vpn_logins TO {APP_ROLE}")
    op.execute(f"GRANT UPDATE (end_ordered_at) ON vpn_sessions TO {APP_ROLE}")
    op.execute(f"GRANT UPDATE, DELETE ON vpn_sessions, vpn_logins TO {CENTRE_ROLE}")
    op.execute(f"GRANT SELECT ({', '.join(READABLE)}), INSERT, UPDATE, DELETE ON vpn_accounts TO {APP_ROLE}")
    # To seal them with another key.
    op.execute(f"GRANT SELECT (totp_secret) ON vpn_accounts TO {CENTRE_ROLE}")
    op.execute(TAKEN_USERNAMES)
    _radius()
    for name in OF_APPLICATIONS:
        # A table of the caller's own, made for the time of a session, would otherwise be taken for ours.
        op.execute(f"ALTER FUNCTION {name} SET search_path = public, pg_temp")
        op.execute(f"REVOKE ALL ON FUNCTION {name} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {name} TO {APP_ROLE}, {CENTRE_ROLE}")


def _radius() -> None:
    op.execute(
        f"""
        DO $$ BEGIN
            CREATE ROLE {RADIUS_ROLE} NOLOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END $$
        """
    )
    op.execute(f"GRANT USAGE ON SCHEMA public TO {RADIUS_ROLE}")
    for view in (RADIUS_ACCOUNTS, RADIUS_CHECK, RADIUS_REPLY, ADDRESS):
        op.execute(view)
    op.execute("REVOKE ALL ON FUNCTION radius_address(text) FROM PUBLIC")
    op.execute(f"GRANT SELECT ON radius_check, radius_reply TO {RADIUS_ROLE}")
    for name, function in FUNCTIONS.items():
        op.execute(function)
        op.execute(f"REVOKE ALL ON FUNCTION {name} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {name} TO {RADIUS_ROLE}")


def _recorded() -> list[sa.Column[Any]]:
    now = sa.text("now()")
    return [
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("created_at", MOMENT, server_default=now, nullable=False),
        sa.Column("updated_at", MOMENT, server_default=now, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
    ]


def _groups() -> None:
    op.create_table(
        "vpn_groups",
        *_recorded(),
        sa.Column("pool_id", sa.Uuid(), sa.ForeignKey("pools.id"), nullable=False),
        sa.Column("department_id", sa.Uuid(), sa.ForeignKey("departments.id"), nullable=False),
        sa.Column("system_id", sa.Uuid(), sa.ForeignKey("systems.id")),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("cidr", sa.Text(), nullable=False),
        sa.Column("networks", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("session_minutes", sa.Integer(), nullable=False),
        sa.Column("idle_minutes", sa.Integer(), nullable=False),
        sa.Column("username_rule", sa.Text()),
        sa.Column("second_factor", sa.Boolean(), nullable=False),
        sa.Column("down_kbit", sa.Integer()),
        sa.Column("up_kbit", sa.Integer()),
        sa.CheckConstraint("session_minutes > 0 AND idle_minutes > 0", name=op.f("ck_vpn_groups_minutes_positive")),
        sa.UniqueConstraint(
            *("pool_id", "department_id", "system_id"),
            name=op.f("uq_vpn_groups_pool_id_department_id_system_id"),
            postgresql_nulls_not_distinct=True,
        ),
        sa.UniqueConstraint("pool_id", "name", name=op.f("uq_vpn_groups_pool_id_name")),
    )
    op.create_index(op.f("ix_vpn_groups_department_id"), "vpn_groups", ["department_id"])


def _accounts() -> None:
    op.create_table(
        "vpn_accounts",
        sa.Column("resource_id", sa.Uuid(), primary_key=True),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("name_key", sa.LargeBinary(), nullable=False),
        sa.Column("number_key", sa.LargeBinary(), nullable=False),
        sa.Column("scheme", sa.Text()),
        sa.Column("hash", sa.Text()),
        sa.Column("issued_at", MOMENT),
        sa.Column("totp_secret", sa.Text()),
        sa.Column("totp_step", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_login_at", MOMENT),
        sa.Column("confirmed_at", MOMENT),
        sa.Column("confirm_told_at", MOMENT),
        sa.CheckConstraint(
            "scheme IN ('SSHA2-512-Password', 'Crypt-Password')", name=op.f("ck_vpn_accounts_scheme_known")
        ),
        sa.CheckConstraint("(scheme IS NULL) = (hash IS NULL)", name=op.f("ck_vpn_accounts_hash_has_a_scheme")),
        sa.ForeignKeyConstraint(
            ["resource_id"],
            ["resources.id"],
            name=op.f("fk_vpn_accounts_resource_id_resources"),
            deferrable=True,
            initially="DEFERRED",
        ),
        sa.UniqueConstraint("username", name=op.f("uq_vpn_accounts_username")),
    )
    for column in ("name_key", "number_key"):
        op.create_index(op.f(f"ix_vpn_accounts_{column}"), "vpn_accounts", [column])
    op.create_index("ix_vpn_accounts_last_login", "vpn_accounts", ["last_login_at", "resource_id"])


def _of_somebody() -> list[sa.Column[Any]]:
    return [
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("resource_id", sa.Uuid(), sa.ForeignKey("resources.id")),
        sa.Column("department_id", sa.Uuid(), sa.ForeignKey("departments.id")),
        sa.Column("client", postgresql.INET()),
    ]


def _sessions() -> None:
    zero = sa.text("0")
    op.create_table(
        "vpn_sessions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
        sa.Column("unique_id", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=False),
        *_of_somebody(),
        sa.Column("address", postgresql.INET()),
        sa.Column("started", MOMENT, nullable=False),
        sa.Column("updated", MOMENT, nullable=False),
        sa.Column("stopped", MOMENT),
        sa.Column("end_ordered_at", MOMENT),
        *(
            sa.Column(name, sa.BigInteger(), server_default=zero, nullable=False)
            for name in ("seconds", "bytes_in", "bytes_out")
        ),
        sa.Column("cause", sa.Text()),
        sa.UniqueConstraint("unique_id", name=op.f("uq_vpn_sessions_unique_id")),
    )
    still = sa.text("stopped IS NULL")
    op.create_index("ix_vpn_sessions_open_by_name", "vpn_sessions", ["username"], postgresql_where=still)
    op.create_index("ix_vpn_sessions_open_at", "vpn_sessions", ["gateway", "updated"], postgresql_where=still)
    for columns in (["resource_id", "started"], ["department_id", "started", "id"], ["started", "id"]):
        op.create_index(op.f(f"ix_vpn_sessions_{'_'.join(columns)}"), "vpn_sessions", columns)


def _logins() -> None:
    op.create_table(
        "vpn_logins",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
        sa.Column("at", MOMENT, nullable=False),
        *_of_somebody(),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text()),
    )
    for columns in (["resource_id", "at"], ["department_id", "at", "id"], ["at", "id"]):
        op.create_index(op.f(f"ix_vpn_logins_{'_'.join(columns)}"), "vpn_logins", columns)
