"""Days and months as people name them: of the site's zone, whole."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from flask_babel import get_timezone
from flask_babel import gettext as _

from controlplane.errors import Invalid
from controlplane.paging import Listing


def day(field: str, value: str, more: int = 0) -> datetime:
    """Return the first instant of a day, or of one so many days later. Raises Invalid."""
    try:
        return _begins(date.fromisoformat(value) + timedelta(days=more))
    except (ValueError, OverflowError):
        raise Invalid(field=field, reason=_("must be a day, like 2026-11-01")) from None


def month(field: str, value: str) -> tuple[datetime, datetime]:
    """Return the first instant of a month, and that of the next one. Raises Invalid."""
    try:
        first = datetime.strptime(value, "%Y-%m").date()  # noqa: DTZ007 - a month has no zone
        return _begins(first), _begins((first + timedelta(days=31)).replace(day=1))
    except (ValueError, OverflowError):
        raise Invalid(field=field, reason=_("must be a month, like 2026-11")) from None


def in_month(asked: Listing) -> Listing:
    """Return a list's question with its filter `month`, where it has one, as `from` and `to`. Raises Invalid."""
    filters = dict(asked.filters)
    if "month" not in filters:
        return asked
    start, end = month("month", filters.pop("month"))
    return replace(asked, filters=filters | {"from": start.isoformat(), "to": end.isoformat()})


def between(args: Mapping[str, str], now: datetime, days: int) -> tuple[datetime, datetime]:
    """Return the first instant of the day `from`, and of the day after `to`; without them, of the last so many days.
    Raises Invalid."""
    end = day("to", args.get("to") or today(now).isoformat(), 1)
    return (day("from", args["from"]) if args.get("from") else end - timedelta(days=days)), end


def today(now: datetime) -> date:
    """Return which day it is at the site."""
    return now.astimezone(get_timezone()).date()


def _begins(of: date) -> datetime:
    return datetime.combine(of, time(), get_timezone()).astimezone(UTC)
