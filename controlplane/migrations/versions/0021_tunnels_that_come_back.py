"""a session whose end nobody told is open again once it is told of again"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

# What was told of no more for three interim updates is of a gateway that died without a word: it keeps nobody out.
SESSIONS = """
    CREATE OR REPLACE FUNCTION radius_sessions(name text) RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
        SELECT count(*) FROM vpn_sessions
        WHERE username = name AND stopped IS NULL AND updated > now() - interval '3 minutes'
    $$
"""

# Whose end was told has ended: packets may come twice, and in any order. Whose end was not told, and was taken for
# granted, is up after all when it is told of as having lasted longer than was known; that no packet of before says.
ACCOUNTING = """
    CREATE OR REPLACE FUNCTION radius_accounting(
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
            started, updated, stopped, seconds, bytes_in, bytes_out, cause, stop_told
        )
        VALUES (
            left(packet_id, 253), left(session, 253), left(name, 253), left(nas, 253),
            known.resource_id, known.department_id, radius_address(client_address), radius_address(tunnel_address),
            now() - make_interval(secs => coalesce(lasted, 0)), now(),
            CASE WHEN status = 'Stop' THEN now() END,
            coalesce(lasted, 0), coalesce(received, 0), coalesce(sent, 0),
            CASE WHEN status = 'Stop' THEN nullif(left(why, 253), '') END,
            status = 'Stop'
        )
        ON CONFLICT (unique_id) DO UPDATE SET
            updated = now(),
            stopped = CASE WHEN s.stop_told THEN s.stopped
                           WHEN EXCLUDED.stop_told THEN EXCLUDED.stopped
                           WHEN status <> 'Interim-Update' OR EXCLUDED.seconds <= s.seconds THEN s.stopped END,
            cause = CASE WHEN s.stop_told THEN s.cause
                         WHEN EXCLUDED.stop_told THEN EXCLUDED.cause
                         WHEN status <> 'Interim-Update' OR EXCLUDED.seconds <= s.seconds THEN s.cause END,
            stop_told = s.stop_told OR EXCLUDED.stop_told,
            address = coalesce(EXCLUDED.address, s.address),
            seconds = greatest(s.seconds, EXCLUDED.seconds),
            bytes_in = greatest(s.bytes_in, EXCLUDED.bytes_in),
            bytes_out = greatest(s.bytes_out, EXCLUDED.bytes_out)
        RETURNING s.id INTO written;
        RETURN written;
    END $$
"""

RESTARTED = """
    CREATE OR REPLACE FUNCTION radius_gateway_restarted(nas text) RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
        WITH ended AS (
            UPDATE vpn_sessions SET stopped = now(), updated = now(), cause = 'NAS-Reboot', stop_told = true
            WHERE gateway = nas AND stopped IS NULL RETURNING 1
        ) SELECT count(*) FROM ended
    $$
"""


def upgrade() -> None:
    """Note of each session whether its end was told; of what is over by now nobody knows, and it stays over."""
    op.add_column("vpn_sessions", sa.Column("stop_told", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.alter_column("vpn_sessions", "stop_told", server_default=sa.false())
    op.execute("UPDATE vpn_sessions SET stop_told = false WHERE stopped IS NULL")
    for function in (SESSIONS, ACCOUNTING, RESTARTED):
        op.execute(function)
