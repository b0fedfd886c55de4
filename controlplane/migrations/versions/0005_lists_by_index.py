"""lists by index, and search by any part"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

# Loops, because a statement of SQL that unnests and aggregates takes ten times as long, and each insert runs it.
PIECES = (
    """
    CREATE FUNCTION pieces(texts text[]) RETURNS text[] LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
    DECLARE
        whole text;
        letters text[];
        found text[] := '{}';
    BEGIN
        FOREACH whole IN ARRAY texts LOOP
            letters := string_to_array(lower(whole), NULL);
            found := found || letters;
            FOR i IN 2..cardinality(letters) LOOP
                found := found || (letters[i - 1] || letters[i]);
            END LOOP;
        END LOOP;
        RETURN found;
    END $$
    """,
    # As few as cover the part: the planner takes each for one more coincidence, and would think all of them rare.
    """
    CREATE FUNCTION pieces_sought(part text) RETURNS text[] LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
    DECLARE
        letters text[] := string_to_array(lower(part), NULL);
        found text[] := '{}';
    BEGIN
        IF cardinality(letters) = 1 THEN
            RETURN letters;
        END IF;
        FOR i IN 2..cardinality(letters) LOOP
            IF i % 2 = 0 OR i = cardinality(letters) THEN
                found := found || (letters[i - 1] || letters[i]);
            END IF;
        END LOOP;
        RETURN found;
    END $$
    """,
)
SORTED = (
    ("departments", "created_at"),
    ("sites", "name"),
    ("systems", "created_at"),
    ("systems", "mlps_level"),
    ("systems", "name"),
)
SEARCHED = {
    "claims": "ARRAY[host(address)]",
    "departments": "ARRAY[code, name, name_en]",
    "resources": "ARRAY[name]",
    "sites": "ARRAY[code, name]",
    "systems": "ARRAY[code, name, name_en]",
}


def upgrade() -> None:
    op.create_index(op.f("ix_resources_kind_state_id"), "resources", ["kind", "state", "id"])
    op.drop_index(op.f("ix_resources_kind_state"), "resources")
    for table, column in SORTED:
        op.create_index(op.f(f"ix_{table}_{column}_id"), table, [column, "id"])
    for function in PIECES:
        op.execute(function)
    for table, columns in SEARCHED.items():
        op.create_index(
            f"ix_{table}_pieces",
            table,
            [sa.text(f"pieces({columns})")],
            postgresql_using="gin",
            postgresql_with={"gin_pending_list_limit": 128},
        )
