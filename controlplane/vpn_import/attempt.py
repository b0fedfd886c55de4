"""One try to import a table: everything is read, sealed and asked for; the first look at it finds all that is wrong.

Checking and carrying out are the same: a check asks by `requests.rehearse`, which decides all that `requests.submit`
decides and writes nothing, and is rolled back.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from controlplane import vpn_rows, vpn_sheets
from controlplane.actor import Actor
from controlplane.allocation import Submitted
from controlplane.ask import Ask
from controlplane.errors import ApprovalNeeded, NoPool, OverQuota, Refusal, RowsRefused
from controlplane.secrets import Keys
from controlplane.vpn_import import refusals
from controlplane.vpn_import.problems import Faulty, Problem, problem
from controlplane.vpn_import.rows import Asked, Columns, Make, made

KIND = "vpn_account"
_TOLD_EVERY = 500
_TRIES = 4

Tell = Callable[[str, int, int], None]
"""Is told how far it is: the step, how many rows are done, and of how many."""
Submit = Callable[[Session, Actor, Ask], Submitted]


@dataclass(frozen=True, slots=True)
class Means:
    """What a try needs besides the file: keys to seal with, the site's zone, whom to tell how far it is, and what to
    ask by."""

    keys: Keys
    zone: ZoneInfo
    tell: Tell
    submit: Submit


@dataclass(frozen=True, slots=True)
class Table:
    """A file for a department."""

    department: str | UUID
    name: str
    content: bytes


def attempt(session: Session, actor: Actor, means: Means, table: Table) -> Submitted:
    """Ask for all accounts of a table in the session's transaction; nothing of them is kept where some are refused.

    Raises Faulty with all that is wrong.
    """
    try:
        sheet = vpn_sheets.read(table.name, table.content)
        make = vpn_rows.maker(session, actor, means.keys, table.department)
    except Refusal as refusal:
        raise Faulty([problem(refusal)]) from None
    columns = Columns(sheet)
    asked, problems = _asked(columns, make, means, sheet)
    means.tell("asking", len(asked), len(sheet.rows))
    for _ in range(_TRIES):
        if not asked:
            break
        attempted = session.begin_nested()
        try:
            submitted = means.submit(session, actor, Ask(KIND, table.department, [one.spec for one in asked]))
        except RowsRefused as refusal:
            attempted.rollback()
            problems += [columns.refused(asked[place], reason) for place, reason in refusal.problems]
            bad = {place for place, _ in refusal.problems}
            # Without these there may be more that is wrong, which is to be told at once.
            asked = [one for place, one in enumerate(asked) if place not in bad]
        except Refusal as refusal:
            attempted.rollback()
            raise Faulty([*problems, *_of_the_whole(columns, asked, refusal)]) from None
        else:
            if problems:
                attempted.rollback()
                break
            attempted.commit()
            return submitted
    raise Faulty(problems)


def _asked(columns: Columns, make: Make, means: Means, sheet: vpn_sheets.Sheet) -> tuple[list[Asked], list[Problem]]:
    """Return what the rows ask for that are good, and what is wrong with the others."""
    problems: list[Problem] = []
    asked: list[Asked] = []
    lines: dict[str, int] = {}
    for number, raw in enumerate(sheet.rows):
        if number % _TOLD_EVERY == 0:
            means.tell("sealing", number, len(sheet.rows))
        found = made(columns, make, means.zone, raw)
        if isinstance(found, list):
            problems += found
            continue
        other = lines.setdefault(found.spec.username, raw.line)
        if other == raw.line:
            asked.append(found)
        else:
            twice = refusals.UsernameTwice(username=found.spec.username, other=other)
            problems.append(columns.problem(raw.line, "username", twice))
    return asked, problems


def _of_the_whole(columns: Columns, asked: Sequence[Asked], refusal: Refusal) -> list[Problem]:
    if isinstance(refusal, OverQuota):
        return _short(asked, refusal)
    if isinstance(refusal, NoPool):
        return [problem(refusals.NoSeats())]
    if isinstance(refusal, ApprovalNeeded):
        return [problem(refusals.ApprovalFirst(roles=refusal.values["roles"]))]
    # One row alone is refused without its place.
    return [columns.refused(asked[0], refusal) if len(asked) == 1 else problem(refusal)]


def _short(asked: Sequence[Asked], refusal: OverQuota) -> list[Problem]:
    """Return by how much the quota is short, and each row that it does not reach."""
    whole = [
        problem(
            refusals.QuotaShort(
                owner=n.owner, left=max(0, n.shortage.asked - n.shortage.short_by), asked=n.shortage.asked
            )
        )
        for n in refusal.shortages
    ]
    short = max(n.shortage.short_by for n in refusal.shortages)
    return whole + [problem(refusals.BeyondQuota(), one.line) for one in asked[-short:]]
