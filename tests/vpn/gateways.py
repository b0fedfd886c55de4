"""VPN gateways as RADIUS sees them: packets of theirs, sent by FreeRADIUS's own client, and what comes back."""

import subprocess
from dataclasses import dataclass

SECRET = "a-secret-of-gateways"
ADDRESSES = {"vpn-1": "127.0.0.1", "vpn-2": "127.0.0.2"}
"""Where the gateways of the tests ask from."""
_RAW = {"User-Name": 1, "User-Password": 2, "Calling-Station-Id": 31, "Acct-Session-Id": 44}
"""What is given in bytes, as radclient takes escapes away once or twice; of a password it does so even then, once."""


@dataclass(frozen=True)
class Answer:
    """What RADIUS said: `Access-Accept` and the like, and its attributes; an empty code where it said nothing."""

    code: str
    attributes: dict[str, str]

    @property
    def accepted(self) -> bool:
        return self.code == "Access-Accept"

    @property
    def rejected(self) -> bool:
        return self.code == "Access-Reject"


@dataclass(frozen=True)
class Gateway:
    """A gateway with a code that asks a server, which listens for logins and for accounting on two ports."""

    code: str
    ports: tuple[int, int]
    patience: float = 5
    inside: tuple[str, ...] = ()

    def is_answered(self) -> bool:
        """Tell whether the server is there."""
        return self._send("status", self.ports[0], {"Message-Authenticator": "0x00"}, 0.3).accepted

    def login(self, username: str, password: str, **more: str) -> Answer:
        """Try to come in; `more` are attributes with `_` for `-`, which may replace the gateway's own."""
        plain = {"User-Name": username, "User-Password": password, "Calling-Station-Id": "203.0.113.9"}
        return self._send("auth", self.ports[0], {**plain, **_attributes(more)})

    def account(self, status: str, session: str, username: str, **more: str | int) -> bool:
        """Tell of a session; return whether the server has taken note of it."""
        plain = {"Acct-Status-Type": status, "Acct-Session-Id": session, "User-Name": username}
        sent = {**plain, "Calling-Station-Id": "203.0.113.9", **_attributes(more)}
        return self._send("acct", self.ports[1], sent).code == "Accounting-Response"

    def restarted(self, status: str = "Accounting-On") -> bool:
        """Tell that the gateway has come up, or goes down; return whether the server has taken note of it."""
        return self._send("acct", self.ports[1], {"Acct-Status-Type": status}).code == "Accounting-Response"

    def _send(self, kind: str, port: int, attributes: dict[str, str], patience: float | None = None) -> Answer:
        own = {"NAS-Identifier": self.code, "Packet-Src-IP-Address": ADDRESSES[self.code], **attributes}
        lines = "\n".join(_line(name, value) for name, value in own.items())
        command = [*self.inside, "radclient", "-x", "-r", "1", "-t", str(patience or self.patience)]
        where = (f"127.0.0.1:{port}", kind, SECRET)
        done = subprocess.run([*command, *where], input=lines.encode(), capture_output=True, check=False)
        return _answer(done.stdout.decode(errors="replace"))


def _attributes(more: dict[str, str] | dict[str, str | int]) -> dict[str, str]:
    return {name.replace("_", "-"): str(value) for name, value in more.items()}


def _line(name: str, value: str) -> str:
    """Return an attribute as radclient reads it. Lone surrogates stand for bytes that are no UTF-8."""
    if name == "User-Password":
        value = value.replace("\\", "\\\\")
    if value and name in _RAW:
        return f"Attr-{_RAW[name]} = 0x{value.encode(errors='surrogateescape').hex()}"
    return f'{name} = "{value}"'


def _answer(told: str) -> Answer:
    rest = told.partition("Received ")[2]
    if not rest:
        return Answer("", {})
    first, *lines = rest.splitlines()
    pairs = (line.strip().split(" = ", 1) for line in lines if " = " in line)
    return Answer(first.split()[0], {name: value.strip('"') for name, value in pairs})
