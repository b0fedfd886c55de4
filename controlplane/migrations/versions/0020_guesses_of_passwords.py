"""a brake on guessing the passwords of VPN accounts"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

RADIUS_ROLE = "steppe_radius"

# A wrong password counts where it came from alone, so that nobody locks others out by typing their names. A wrong code
# counts wherever it came from: who is told of one has the password.
GUESSES = """
    CREATE FUNCTION radius_guesses(name text, client_address text) RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
        SELECT count(*) FROM vpn_logins
        WHERE username = left(name, 253) AND reason IN ('wrong_password', 'wrong_code')
        AND at > now() - interval '5 minutes'
        AND (reason = 'wrong_code' OR client IS NOT DISTINCT FROM radius_address(client_address))
    $$
"""


def upgrade() -> None:
    """Let RADIUS ask how often somebody has guessed of late."""
    op.create_index(
        "ix_vpn_logins_guesses",
        "vpn_logins",
        ["username", "at"],
        postgresql_where=sa.text("reason IN ('wrong_password', 'wrong_code')"),
    )
    op.execute(GUESSES)
    op.execute("REVOKE ALL ON FUNCTION radius_guesses(text, text) FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION radius_guesses(text, text) TO {RADIUS_ROLE}")
