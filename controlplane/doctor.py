"""What is wrong with an installation, in plain words: each check says what it found and what to do about it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from controlplane import lifecycle, schema
from controlplane.bootstrap import Installation
from controlplane.entrance import Places
from controlplane.errors import Refusal
from controlplane.models import Department, Drift, Pool, PoolCatalogue, PoolCheck, Resource
from controlplane.oidc.configuration import Misconfigured, configuration
from controlplane.oidc.provider import Provider
from controlplane.settings import Settings
from quotas.verify import verify

Verdict = Literal["good", "warning", "bad"]
_SILENT_AFTER = timedelta(seconds=60)
_WAITING_TOO_LONG = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; `advice` is empty where all is well."""

    check: str
    verdict: Verdict
    found: str
    advice: str = ""


def ready(installation: Installation) -> str | None:
    """Return why the installation cannot serve now, or None."""
    try:
        current, needed = schema.revisions(installation.engine)
    except OperationalError:
        return "the database does not answer"
    return None if current == needed else "the schema is not up to date: run `steppe db upgrade`"


def examine(installation: Installation) -> Iterator[Finding]:
    """Run every check; stop after the first that makes the others senseless."""
    trouble = ready(installation)
    if trouble:
        yield Finding("database", "bad", trouble, "start PostgreSQL, or run `steppe db upgrade`")
        return
    with installation.sessions() as session:
        for name, check in _CHECKS.items():
            verdict, found, advice = check(session)
            yield Finding(name, verdict, found, advice)
        departments = set(session.scalars(select(Department.code).where(Department.deleted_at.is_(None))))
    yield Finding("identity provider", *_identity_provider(installation.settings, departments))


_Answer = tuple[Verdict, str, str]


def _database(session: Session) -> _Answer:
    version = str(session.scalar(text("SHOW server_version")))
    major = int(version.split(".", maxsplit=1)[0].split(" ", maxsplit=1)[0])
    if major < 15:
        return "bad", f"PostgreSQL {version}", "Steppe needs PostgreSQL 15 or newer"
    return "good", f"PostgreSQL {version}, schema up to date", ""


def _workers(session: Session) -> _Answer:
    heartbeat = session.scalar(text("SELECT max(last_heartbeat) FROM procrastinate_workers"))
    if heartbeat is None:
        return "bad", "no worker is running", "start one: `steppe worker`, or `steppe up` for everything"
    silent = datetime.now(UTC) - heartbeat
    if silent > _SILENT_AFTER:
        return "bad", f"no worker has been heard of for {int(silent.total_seconds())} s", "start one: `steppe worker`"
    alive = session.scalar(
        text("SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '60 seconds'")
    )
    return "good", f"{alive} at work, last heard of {int(silent.total_seconds())} s ago", ""


def _jobs(session: Session) -> _Answer:
    rows = session.execute(text("SELECT status::text, count(*) FROM procrastinate_jobs GROUP BY 1"))
    counts: dict[str, int] = {row[0]: row[1] for row in rows}
    shown = f"{counts.get('todo', 0)} waiting, {counts.get('doing', 0)} being done, {counts.get('failed', 0)} failed"
    if counts.get("failed"):
        return "warning", shown, "look at the faulted resources (`steppe vm list --state faulted`) and retry them"
    return "good", shown, ""


def _resources(session: Session) -> _Answer:
    late = session.scalar(
        select(func.count()).where(
            Resource.state.in_(lifecycle.IN_TRANSITION),
            Resource.deleted_at.is_(None),
            Resource.updated_at < datetime.now(UTC) - _WAITING_TOO_LONG,
        )
    )
    faulted = session.scalar(select(func.count()).where(Resource.state == "faulted", Resource.deleted_at.is_(None)))
    waiting = session.scalar(
        select(func.count()).where(Resource.waiting_reason.is_not(None), Resource.deleted_at.is_(None))
    )
    shown = f"{faulted} faulted, {late} in transition for more than ten minutes, {waiting} waiting for their pool"
    if faulted or late or waiting:
        return "warning", shown, "see why each one is faulted or waits (`steppe vm show`)"
    return "good", shown, ""


def _drift(session: Session) -> _Answer:
    found = session.scalar(select(func.count()).where(Drift.closed_at.is_(None)))
    unseen = session.scalars(
        select(Pool.code).join(PoolCheck).where(PoolCheck.trouble.is_not(None)).order_by(Pool.code).limit(10)
    ).all()
    shown = f"{found} machines are not as recorded"
    if unseen:
        return "warning", f"{shown}; could not look at {', '.join(unseen)}", "`steppe drift` says why"
    if found:
        return "warning", shown, "`steppe drift` lists them; decide by `steppe drift repair|accept|adopt`"
    return "good", "every machine is as recorded", ""


def _pools(session: Session) -> _Answer:
    pools, accepting = session.execute(select(func.count(), func.count().filter(Pool.accepting))).one()
    if not pools:
        return "warning", "there is none", "create one: `steppe pool create`, or load a model: `steppe centre load`"
    if not accepting:
        return "warning", f"none of {pools} accepts new resources", "`steppe pool update POOL --accepting`"
    return "good", f"{accepting} of {pools} accept new resources", ""


def _catalogue(session: Session) -> _Answer:
    """What a pool that takes nothing lacks is nobody's trouble."""
    lacking = Pool.accepting & (PoolCatalogue.unusable > 0)
    codes = session.scalars(select(Pool.code).join(PoolCatalogue).where(lacking).order_by(Pool.code).limit(10)).all()
    if codes:
        found = f"offered images of which no VM can be made in {', '.join(codes)}"
        return "warning", found, "`steppe pool catalogue POOL` names them"
    return "good", "no pool is known to lack an offered image", ""


def _ledger(session: Session) -> _Answer:
    wrong = next(iter(verify(session)), None)
    if wrong:
        return (
            "bad",
            f"{wrong.what} of {wrong.owner} {wrong.resource_class}",
            "`steppe ledger verify` names all of them",
        )
    return "good", "every balance is the sum of its postings", ""


def _identity_provider(settings: Settings, departments: set[str]) -> _Answer:
    try:
        known = configuration(settings)
    except Misconfigured as error:
        return "bad", str(error), "set what is named (`steppe settings`) and start the web server again"
    if known is None:
        return "good", "none is set up", ""
    wrong = {grant.department for grant in known.grants.values()} - departments - {None}
    if wrong:
        shown = ", ".join(sorted(filter(None, wrong)))
        return "warning", f"STEPPE_OIDC_ROLES names departments that there are not: {shown}", "correct their codes"
    try:
        Provider(known, Places(1)).look()
    except Refusal as refusal:
        reason = refusal.__cause__ or refusal
        return "warning", f"{known.issuer}: {reason}", "mend it, or the way there; passwords go on meanwhile"
    return "good", f"{known.issuer} answers", ""


_CHECKS: dict[str, Callable[[Session], _Answer]] = {
    "database": _database,
    "workers": _workers,
    "jobs": _jobs,
    "pools": _pools,
    "catalogue": _catalogue,
    "resources": _resources,
    "drift": _drift,
    "ledger": _ledger,
}
