"""Tunnels that nobody tells of any more: their gateway died without a word, or the way to RADIUS.

A gateway that answers says itself what is up at it, and each look closes the rest; it is asked when somebody is kept
out by a tunnel of his own, which may be dead. What is closed here, by the clock alone, are the tunnels at gateways that
do not answer, so that no record says for good that somebody is in.
"""

from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from controlplane import jobs

SILENT = timedelta(minutes=3)
"""RADIUS, which is told of each tunnel once a minute, counts one no longer that is silent for so long."""
ANSWERED = timedelta(minutes=10)
"""A look that is older than this says nothing of what is up now."""
KEPT_OUT = timedelta(seconds=15)
"""For so long after somebody was kept out his gateway is looked at, each time that the clock comes round: the record of
a tunnel that was told of just before is not closed by the first of these looks."""


def close(session: Session, now: datetime) -> int:
    """Close every tunnel that nobody told of for SILENT, as of when it was last told of; return how many."""
    known = {"silent_since": now - SILENT, "answered_since": now - ANSWERED}
    return len(session.execute(_CLOSE, known).all())


def doubt(session: Session, now: datetime) -> int:
    """Have the tunnels of each gateway be looked at that has just kept somebody out for having as many as he may;
    return of how many gateways."""
    gateways = session.scalars(_KEPT_OUT, {"since": now - KEPT_OUT}).all()
    for gateway in gateways:
        jobs.enqueue_tunnels(session, gateway, [0])
    return len(gateways)


_CLOSE = text("""
    UPDATE vpn_sessions s SET stopped = s.updated, cause = 'Lost-Carrier'
    WHERE s.stopped IS NULL AND s.updated < :silent_since
    AND NOT EXISTS (
        SELECT FROM pools p JOIN pool_checks c ON c.pool_id = p.id
        WHERE p.code = s.gateway AND c.trouble IS NULL AND c.at > greatest(s.updated, :answered_since)
    )
    RETURNING s.id
""")

_KEPT_OUT = text("""
    SELECT DISTINCT p.id FROM vpn_logins l JOIN pools p ON p.code = l.gateway
    WHERE l.at > :since AND l.reason = 'too_many_sessions'
""")
