"""What a worker does by the clock besides sweeping pools: following up, ending leases, sending, tidying."""

from dataclasses import asdict
from datetime import UTC, datetime

import structlog
from procrastinate import App

from controlplane import jobs, lease_sweep, lost_tunnels, unused, vpn_logs, vpn_review
from controlplane.actor import system
from controlplane.bootstrap import Installation
from controlplane.db import transaction
from controlplane.entrance import rules
from controlplane.services import idempotency, leavers, sign_in, vpn_imports
from controlplane.services.following_up import follow_up
from controlplane.telling import outbox, sending

_DELIVERED_EVERY, _DOUBTED_EVERY = 15, 5

log = structlog.get_logger(__name__)


def add(app: App, installation: Installation) -> None:
    """Add all of it to a job application."""
    _follow(app, installation)
    _tunnels(app, installation)
    _deliver(app, installation)
    _tidy(app, installation)
    _tidy_vpn(app, installation)


def _follow(app: App, installation: Installation) -> None:
    """Follow requests, leases and VPN accounts up."""
    sessions = installation.sessions

    @app.periodic(cron="*/5 * * * *")
    @app.task(name="follow_up", queue=jobs.SWEEP, queueing_lock="follow_up")
    def follow_up_requests(timestamp: int) -> None:
        with transaction(sessions) as session:
            followed = follow_up(session, system("worker"), datetime.fromtimestamp(timestamp, UTC))
        log.info("followed requests up", **asdict(followed), timestamp=timestamp)

    @app.periodic(cron="*/5 * * * *")
    @app.task(name="sweep_leases", queue=jobs.SWEEP, queueing_lock="sweep_leases")
    def sweep_leases(timestamp: int) -> None:
        now = datetime.fromtimestamp(timestamp, UTC)
        with transaction(sessions) as session:
            followed = unused.follow(session, system("worker"), now)
        with transaction(sessions) as session:
            swept = lease_sweep.sweep(session, system("worker"), now)
        log.info("swept leases", **asdict(swept), **{f"unused_{k}": v for k, v in asdict(followed).items()})

    @app.periodic(cron="7 * * * *")
    @app.task(name="review_vpn", queue=jobs.SWEEP, queueing_lock="review_vpn")
    def review_vpn(timestamp: int) -> None:
        now = datetime.fromtimestamp(timestamp, UTC)
        with transaction(sessions) as session:
            reviewed = vpn_review.review(session, system("worker"), now)
        log.info("reviewed VPN accounts", **asdict(reviewed), timestamp=timestamp)


def _tunnels(app: App, installation: Installation) -> None:
    """Find out of tunnels that nobody tells of any more."""
    sessions = installation.sessions

    @app.periodic(cron="* * * * *")
    @app.task(name="close_lost_tunnels", queue=jobs.SWEEP, queueing_lock="close_lost_tunnels")
    def close_lost_tunnels(timestamp: int) -> int:
        with transaction(sessions) as session:
            closed = lost_tunnels.close(session, datetime.fromtimestamp(timestamp, UTC))
        if closed:
            log.info("closed tunnels that nobody tells of", tunnels=closed)
        return closed

    @app.periodic(cron=f"* * * * * */{_DOUBTED_EVERY}")
    @app.task(name="doubt_tunnels", queue=jobs.SWEEP, queueing_lock="doubt_tunnels")
    def doubt_tunnels(timestamp: int) -> int:
        with transaction(sessions) as session:
            return lost_tunnels.doubt(session, datetime.fromtimestamp(timestamp, UTC))


def _deliver(app: App, installation: Installation) -> None:
    """Have mail and webhooks go out, each channel without waiting for the other."""
    sessions = installation.sessions
    mailing, calling = sending.means(installation.settings)

    @app.periodic(cron=f"* * * * * */{_DELIVERED_EVERY}")
    @app.task(name="send_mail", queue=jobs.SWEEP, queueing_lock="send_mail")
    def send_mail(timestamp: int) -> int:
        return sending.send_mail(sessions, mailing)

    @app.periodic(cron=f"* * * * * */{_DELIVERED_EVERY}")
    @app.task(name="call_webhooks", queue=jobs.SWEEP, queueing_lock="call_webhooks")
    def call_webhooks(timestamp: int) -> int:
        return sending.call_webhooks(sessions, calling)

    @app.periodic(cron="47 * * * *")
    @app.task(name="forget_old_deliveries", queue=jobs.SWEEP, queueing_lock="forget_old_deliveries")
    def forget_old_deliveries(timestamp: int) -> int:
        with transaction(sessions) as session:
            return outbox.forget_old(session, datetime.fromtimestamp(timestamp, UTC))


def _tidy(app: App, installation: Installation) -> None:
    """Forget what is old, and disable what nobody uses."""
    sessions, settings = installation.sessions, installation.settings

    @app.periodic(cron="27 * * * *")
    @app.task(name="forget_old_answers", queue=jobs.SWEEP, queueing_lock="forget_old_answers")
    def forget_old_answers(timestamp: int) -> None:
        with transaction(sessions) as session:
            idempotency.forget_old(session, datetime.fromtimestamp(timestamp, UTC))

    @app.periodic(cron="37 * * * *")
    @app.task(name="tidy_accounts", queue=jobs.SWEEP, queueing_lock="tidy_accounts")
    def tidy_accounts(timestamp: int) -> None:
        now = datetime.fromtimestamp(timestamp, UTC)
        with transaction(sessions) as session:
            sign_in.forget_old(session, now)
            disabled = leavers.disable_unused(session, system("worker"), rules(settings), now)
        log.info("disabled accounts that nobody uses", users=disabled, timestamp=timestamp)


def _tidy_vpn(app: App, installation: Installation) -> None:
    """Forget what tells of persons and is needed no more: files that were imported, logins, tunnels."""
    sessions, days = installation.sessions, installation.settings.vpn_log_days

    @app.periodic(cron="57 * * * *")
    @app.task(name="forget_old_imports", queue=jobs.SWEEP, queueing_lock="forget_old_imports")
    def forget_old_imports(timestamp: int) -> int:
        with transaction(sessions) as session:
            return vpn_imports.forget_old(session, datetime.fromtimestamp(timestamp, UTC))

    @app.periodic(cron="52 * * * *")
    @app.task(name="forget_old_tunnels", queue=jobs.SWEEP, queueing_lock="forget_old_tunnels")
    def forget_old_tunnels(timestamp: int) -> int:
        with transaction(sessions) as session:
            return vpn_logs.forget_old(session, datetime.fromtimestamp(timestamp, UTC), days)
