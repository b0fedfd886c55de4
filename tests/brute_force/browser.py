"""A browser with one connection that is kept, for trying passwords at the real web server as fast as it answers."""

import re
import time
from dataclasses import dataclass, field
from http.client import HTTPConnection
from urllib.parse import urlencode, urlsplit

PATIENCE = 180


@dataclass(frozen=True)
class Answer:
    """A status, how long it took in seconds, and where it leads."""

    status: int
    seconds: float
    location: str = ""


@dataclass
class Browser:
    """Reads the sign-in form once and sends it as often as asked: what is wrong leaves its token as it was."""

    url: str
    cookies: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._connection = HTTPConnection(urlsplit(self.url).netloc, timeout=PATIENCE)
        _, page = self._ask("GET", "/sign-in")
        found = re.search(r'name="csrf-token" content="([^"]+)"', page)
        assert found, page[:500]
        self._csrf = found[1]

    def enter(self, user: str, password: str) -> Answer:
        """Send a name and a password."""
        form = urlencode({"csrf_token": self._csrf, "user": user, "password": password})
        return self._ask("POST", "/sign-in", form)[0]

    def get(self, path: str, **headers: str) -> Answer:
        return self._ask("GET", path, **headers)[0]

    def _ask(self, method: str, path: str, form: str | None = None, **headers: str) -> tuple[Answer, str]:
        sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()), **headers}
        if form is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        began = time.perf_counter()
        self._connection.request(method, path, form, sent)
        heard = self._connection.getresponse()
        page = heard.read().decode()
        took = time.perf_counter() - began
        for cookie in heard.headers.get_all("Set-Cookie", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return Answer(heard.status, took, heard.headers.get("Location", "")), page
