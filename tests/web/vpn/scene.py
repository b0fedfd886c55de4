"""What the pages of VPN show: accounts, tunnels and logins, made as departments and RADIUS make them."""

from typing import Any

from sqlalchemy import text

from controlplane.db import transaction
from tests.callers import Callers
from tests.vpn_accounts.scene import look

PASSPHRASE = "correct horse battery"


def person(number: int) -> dict[str, str]:
    return {"name": f"王芳{number}", "number": f"E{number:05}", "phone": "0471-0000001"}


def opened(http: Callers, *numbers: int, looked_at: bool = True, **more: Any) -> list[str]:
    """Have accounts wang1, wang2, … of the department, and return their ids."""
    accounts = [{"username": f"wang{number}", "person": person(number), **more} for number in numbers]
    asked = http.ours.post("/vpn-accounts/bulk", {"accounts": accounts})
    assert asked.status_code == 202, asked.json
    if looked_at:
        look(http)
    return [account["id"] for account in asked.json["accounts"]]


def states(http: Callers) -> set[str]:
    return {account["state"] for account in http.ours.get("/vpn-accounts").json["items"]}


def tunnel(http: Callers, name: str, session: str = "a", status: str = "Start", cause: str = "") -> int:
    """Have RADIUS tell of a tunnel; return its number."""
    return _radius(
        http,
        "SELECT radius_accounting(:status, :session, :session, :name, 'vpn-1', '203.0.113.7', '10.96.0.5',"
        " 3725, 1536, 5368709120, :cause)",
        {"status": status, "session": session, "name": name, "cause": cause},
    )


def tried(http: Callers, name: str, why: str | None = None) -> int:
    """Have RADIUS tell that somebody tried to come in: let in, or not because of `why`."""
    return _radius(
        http,
        "SELECT radius_logged(:name, 'vpn-1', '203.0.113.7', :accepted, :why)",
        {"name": name, "accepted": why is None, "why": why or ""},
    )


def _radius(http: Callers, said: str, values: dict[str, Any]) -> int:
    with transaction(http.sessions) as session:
        session.execute(text("SET LOCAL ROLE NONE"))
        return int(session.scalar(text(said), values) or 0)
