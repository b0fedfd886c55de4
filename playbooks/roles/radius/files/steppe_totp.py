"""The second factor of VPN accounts, in FreeRADIUS: takes the code off the password and finds the time step of it.

Runs in the Python of the RADIUS host, which has no Steppe: the secret comes sealed from the database, and the keys that
open it from a file. That a step is used once is the database's to say, as there may be several RADIUS hosts.
"""

import hmac
import re
import time
from pathlib import Path
from typing import Any

import pyotp
import radiusd
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

Pair = tuple[str, str, str]

_WINDOW = (-1, 0, 1)
_WITH_CODE = re.compile(r"(.*)([0-9]{6})", re.DOTALL | re.ASCII)


def authorize(lists: dict[str, Any]) -> tuple[int, dict[str, tuple[Pair, ...]]]:
    """Leave the password alone in the request, and the step of the code, or why there is none, in the control list.

    Finds nothing where the secret cannot be opened. A wrong password is looked for in any case, and not here.
    """
    try:
        secret = _opened(dict(lists["config"])["Steppe-Totp-Secret"])
    except (OSError, ValueError, InvalidToken) as why:
        radiusd.radlog(radiusd.L_ERR, f"steppe_totp: no key of the ring opens a secret: {type(why).__name__}")
        return radiusd.RLM_MODULE_NOTFOUND, {}
    split = _WITH_CODE.fullmatch(dict(lists["request"])["User-Password"])
    if not split:
        return radiusd.RLM_MODULE_OK, {"config": (("Steppe-Code-Why", ":=", "no_code"),)}
    password, code = split.groups()
    return radiusd.RLM_MODULE_OK, {
        "request": (("User-Password", ":=", _escaped(password)),),
        "config": (_judged(secret, code, int(time.time())),),
    }


def _opened(sealed: str) -> str:
    lines = Path(radiusd.config["key_ring"]).read_text().split()
    return MultiFernet([Fernet(line) for line in lines]).decrypt(sealed.encode()).decode()


def _judged(secret: str, code: str, now: int) -> Pair:
    totp = pyotp.TOTP(secret)
    for step in (now // totp.interval + shift for shift in _WINDOW):
        if hmac.compare_digest(totp.generate_otp(step), code):
            return "Steppe-Totp-Step", ":=", str(step)
    return "Steppe-Code-Why", ":=", "wrong_code"


def _escaped(value: str) -> str:
    """Return a value so that FreeRADIUS, which takes escapes away from what it is given, has it as it was."""
    return value.replace("\\", "\\\\")
