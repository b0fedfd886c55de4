"""hashes of passwords for RADIUS in hexadecimal"""

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Give RADIUS salted hashes as octets that nothing can be read into.

    FreeRADIUS reads a value that begins with 0x as hexadecimal, and gives up on the login when it is not: one base64 in
    4,096 begins so.
    """
    op.execute("""
        CREATE OR REPLACE VIEW radius_check WITH (security_barrier) AS
        SELECT username, gateway, c.attribute, ':='::text AS op, c.value
        FROM radius_accounts a CROSS JOIN LATERAL (VALUES
            (CASE WHEN a.obstacle IS NULL THEN a.scheme END,
             CASE a.scheme WHEN 'SSHA2-512-Password' THEN '0x' || encode(decode(a.hash, 'base64'), 'hex')
                  ELSE a.hash END),
            (CASE WHEN a.obstacle IS NOT NULL THEN 'Auth-Type' END, 'Reject'),
            ('Simultaneous-Use', a.max_sessions::text),
            (CASE WHEN a.obstacle IS NULL AND a.totp_secret IS NOT NULL THEN 'Steppe-Totp-Secret' END, a.totp_secret)
        ) c(attribute, value)
        WHERE c.attribute IS NOT NULL
    """)
