"""Words of VPN accounts: their states and what can be done to them, why somebody was not let in, how tunnels end."""

from flask_babel import format_decimal
from flask_babel import gettext as _

from controlplane.errors import NotNow, Refusal

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_STEP = 1024
Look = tuple[str, str, str]
"""How a state is told: its word, its tone and its icon."""


def account_state(state: str) -> Look:
    """Return how the state of an account is told: it is people who are let in or kept out, nothing that runs."""
    looks = {
        "building": (_("Being opened"), "busy", "loader"),
        "running": (_("Active"), "good", "circle-check"),
        "stopped": (_("Suspended"), "idle", "player-pause"),
        "changing": (_("Changing"), "busy", "refresh"),
        "deleting": (_("Being revoked"), "busy", "trash"),
        "faulted": (_("Faulted"), "bad", "alert-triangle"),
    }
    return looks.get(state, (state, "idle", "circle-dashed"))


def order_word(verb: str) -> str:
    """Return the name of something that can be done to accounts."""
    words = {
        "confirm": _("Confirm"),
        "suspend": _("Suspend"),
        "resume": _("Resume"),
        "retry": _("Try again"),
        "revoke": _("Revoke"),
        "issue": _("Hand out passwords"),
    }
    return str(words.get(verb, verb))


def done_words() -> dict[str, str]:
    """Return what the trail says was done to accounts, where machines have no such thing or another word for it."""
    return {
        "create": _("Opening ordered"),
        "delete": _("Revocation ordered"),
        "stop": _("Suspended"),
        "start": _("Resumed"),
        "resize": _("Tunnels at once set"),
        "retry": _("Try again"),
        "running": _("Found active"),
        "stopped": _("Found suspended"),
        "deleted": _("Found gone"),
        "faulted": _("Faulted"),
        "issue": _("Password handed out"),
        "disconnect": _("Tunnel disconnected"),
    }


def group_events() -> dict[str, str]:
    """Return what events of the trail say was done to groups."""
    return {
        "vpn_group.create": _("VPN group opened"),
        "vpn_group.update": _("VPN group changed"),
        "vpn_group.delete": _("VPN group closed"),
        "pool.configure": _("Gateway given its groups"),
    }


def refused_word(name: str, reason: str | None) -> str:
    """Return why somebody was not let in. `name` is what they called themselves."""
    words = {
        "unknown": _("There is no account %(name)s", name=name),
        "other_gateway": _("The account is at another gateway"),
        "revoked": _("The account is revoked"),
        "suspended": _("The account is suspended"),
        "expired": _("The lease has ended"),
        "no_password": _("No password has been handed out yet"),
        "no_group": _("The gateway has no group for the account"),
        "wrong_password": _("Wrong password"),
        "too_many_sessions": _("Too many tunnels at once"),
        "no_code": _("The code of the second factor was missing"),
        "wrong_code": _("Wrong code of the second factor"),
        "replayed_code": _("The code of the second factor was used before"),
        "too_many_tries": _("Too many wrong tries: refused for five minutes"),
    }
    return str(words.get(reason or "", reason or ""))


REASONS = (
    *("wrong_password", "wrong_code", "no_code", "replayed_code", "too_many_tries", "too_many_sessions"),
    *("suspended", "expired", "no_password", "revoked", "no_group", "other_gateway", "unknown"),
)
"""Why somebody was not let in, what happens most first."""


def reason_word(reason: str) -> str:
    """Return the name of a reason, whoever it was."""
    return str(_("No such account")) if reason == "unknown" else refused_word("", reason)


def cause_word(cause: str | None) -> str:
    """Return how a tunnel ended, as RADIUS names it (Acct-Terminate-Cause of RFC 2866)."""
    words = {
        "User-Request": _("Ended by its user"),
        "Lost-Carrier": _("Connection lost"),
        "Lost-Service": _("Connection lost"),
        "Idle-Timeout": _("Idle for too long"),
        "Session-Timeout": _("Longest time reached"),
        "Admin-Reset": _("Disconnected by an administrator"),
        "Admin-Reboot": _("Gateway restarted"),
        "NAS-Reboot": _("Gateway restarted"),
        "NAS-Request": _("Ended by the gateway"),
        "NAS-Error": _("Fault of the gateway"),
    }
    return str(words.get(cause or "", cause or ""))


def why_not(problem: Refusal, said: str) -> str:
    """Return why an order is not possible for an account; `said` is what the refusal says itself."""
    if not isinstance(problem, NotNow):
        return said
    return str(_("Not possible while it is: %(state)s", state=account_state(problem.values["state"])[0]))


def size_of(count: int) -> tuple[str, str]:
    """Return a number of bytes as it is read most easily: the amount and its unit."""
    amount, place = float(count), 0
    while amount >= _STEP and place < len(_UNITS) - 1:
        amount, place = amount / _STEP, place + 1
    return format_decimal(round(amount, 1)), _UNITS[place]


def lasted(seconds: int) -> str:
    """Return a number of seconds in the two largest units that it has; the smaller one only where it is not nothing."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, _("d")), (hours, _("h")), (minutes, _("min")), (rest, _("s")))
    first = next((place for place, (amount, _unit) in enumerate(parts) if amount), len(parts) - 1)
    (most, unit), *others = parts[first : first + 2]
    return " ".join([f"{most} {unit}", *(f"{amount} {smaller}" for amount, smaller in others if amount)])
