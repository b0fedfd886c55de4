"""searches that cost by what is found: longer pieces of texts, and accounts that know their department"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"

APP_ROLE = "steppe_app"

# A loop, because a statement of SQL that unnests and aggregates takes far longer, and each insert runs it.
PIECES = (
    """
    CREATE FUNCTION pieces(texts text[]) RETURNS tsvector LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
    DECLARE
        whole text;
        found text[] := '{}';
    BEGIN
        FOREACH whole IN ARRAY texts LOOP
            whole := lower(whole);
            FOR i IN 1..length(whole) LOOP
                found := found || substr(whole, i, 7);
            END LOOP;
        END LOOP;
        RETURN array_to_tsvector(found);
    END $$
    """,
    # A whole piece is sought as it is: of what only begins with something the index reads all before it compares.
    """
    CREATE FUNCTION pieces_sought(part text) RETURNS tsquery LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
    DECLARE
        whole text := lower(part);
        last integer := greatest(length(whole) - 6, 1);
        ends text := CASE WHEN length(whole) < 7 THEN ':*' ELSE '' END;
        piece text;
        found text;
    BEGIN
        FOR i IN 1..length(whole) BY 7 LOOP
            piece := replace(replace(substr(whole, least(i, last), 7), '\\', '\\\\'), '''', '''''');
            found := concat_ws('&', found, '''' || piece || '''' || ends);
        END LOOP;
        RETURN found::tsquery;
    END $$
    """,
)
# Whatever hands a resource to another department, its account goes with it, whether or not the caller sees it then.
_MOVED = """
    CREATE FUNCTION move_vpn_account() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    BEGIN
        UPDATE vpn_accounts SET department_id = NEW.department_id WHERE resource_id = NEW.id;
        RETURN NULL;
    END $$
"""
_MOVES = """
    CREATE TRIGGER vpn_account_moves AFTER UPDATE OF department_id ON resources FOR EACH ROW
    WHEN (NEW.kind = 'vpn_account' AND OLD.department_id IS DISTINCT FROM NEW.department_id)
    EXECUTE FUNCTION move_vpn_account()
"""


def upgrade() -> None:
    """Make the pieces anew, and have each account know its department."""
    _pieces()
    _departments()


def _pieces() -> None:
    named = "SELECT indexname, indexdef FROM pg_indexes WHERE indexdef LIKE '%% gin (pieces(%%'"
    indexes = op.get_bind().exec_driver_sql(named).all()
    for name, _ in indexes:
        op.execute(f"DROP INDEX {name}")
    op.execute("DROP FUNCTION pieces(text[]), pieces_sought(text)")
    for function in PIECES:
        op.execute(function)
    for _, defined in indexes:
        op.execute(defined)


def _departments() -> None:
    keys = ("name_key", "number_key")
    for key in keys:
        op.drop_index(f"ix_vpn_accounts_{key}", "vpn_accounts")
    op.add_column("vpn_accounts", sa.Column("department_id", sa.Uuid()))
    op.execute("UPDATE vpn_accounts a SET department_id = r.department_id FROM resources r WHERE r.id = a.resource_id")
    op.alter_column("vpn_accounts", "department_id", nullable=False)
    op.execute(f"GRANT SELECT (department_id) ON vpn_accounts TO {APP_ROLE}")
    for key in keys:
        op.create_index(op.f(f"ix_vpn_accounts_{key}_department_id"), "vpn_accounts", [key, "department_id"])
    op.execute(_MOVED)
    op.execute("REVOKE ALL ON FUNCTION move_vpn_account() FROM PUBLIC")
    op.execute(_MOVES)
