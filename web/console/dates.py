"""Dates of forms: a day at the site stands for its last second, in UTC."""

from datetime import UTC, date, datetime, time, timedelta

from flask_babel import get_timezone, to_utc
from flask_babel import gettext as _

from controlplane.errors import Invalid


def end_of(field: str, text: str) -> datetime | None:
    """Return the end of the day that was given, None where none was. Raises Invalid."""
    if not text.strip():
        return None
    try:
        end = datetime.combine(date.fromisoformat(text.strip()), time(23, 59, 59))
        moment: datetime = to_utc(end).replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise Invalid(field=field, reason=_("A date, as in 2027-12-31.")) from None
    return moment


def day_of(moment: datetime | None) -> str:
    """Return the day at the site that a moment is on, as a form's field takes it."""
    return moment.astimezone(get_timezone()).date().isoformat() if moment else ""


def days(first: date, count: int) -> tuple[datetime, datetime]:
    """Return the instants between which `count` days at the site lie, from `first` on."""
    start = datetime.combine(first, time(), get_timezone())
    end = datetime.combine(first + timedelta(days=count), time(), get_timezone())
    return start.astimezone(UTC), end.astimezone(UTC)
