"""Finding text by any part of it through an index, with what PostgreSQL itself has.

The function `pieces` of the database gives the seven characters that begin at each character of some texts, in lower
case, as a `tsvector`; `pieces_sought` gives as many of a part as cover it, or, of a shorter part, that a piece begins
with it. A text that has the part has all of them, so an index of the pieces leaves few rows to be looked at.
"""

from typing import Any

from sqlalchemy import ColumnElement, Index, SQLColumnExpression, Text, and_, func, or_
from sqlalchemy.dialects.postgresql import TSQUERY, TSVECTOR, array

_PENDING_KIB = 128
"""How much is written down before it is sorted into an index of pieces. One insert in some hundred does that for all,
which takes it 2 ms; each search reads all that was not sorted in yet."""


def searched(name: str, *columns: SQLColumnExpression[str]) -> Index:
    """Return the index that `contains` goes by.

    It is of deleted rows too: of a partial index the planner would not know which pieces are common.
    """
    return Index(
        name,
        _pieces(*columns),
        postgresql_using="gin",
        postgresql_with={"gin_pending_list_limit": _PENDING_KIB},
    )


def contains(part: str, *columns: Any) -> ColumnElement[bool]:
    """Tell whether one of the columns, which must be those of an index, has `part` anywhere, in upper or lower case."""
    exactly = or_(*(column.icontains(part, autoescape=True) for column in columns))
    return and_(exactly, _pieces(*columns).bool_op("@@")(func.pieces_sought(part, type_=TSQUERY))) if part else exactly


def _pieces(*texts: Any) -> Any:
    return func.pieces(array(texts, type_=Text), type_=TSVECTOR)
