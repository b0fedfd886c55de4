"""People at the console: browsers without script, each signed in as one of the few that tests speak of."""

from typing import Any

from flask.testing import FlaskClient
from lxml import html
from werkzeug.test import TestResponse

from controlplane.actor import Role
from controlplane.db import Sessions, transaction
from controlplane.services.users import NewUser
from tests.accounts import Person, person
from tests.callers import Callers

PEOPLE: dict[str, tuple[str, Role, str | None]] = {
    "admin": ("Admin", "system_admin", None),
    "security": ("Security", "security_admin", None),
    "audit": ("Audit", "audit_admin", None),
    "operator": ("Operator", "operator", None),
    "auditor": ("Auditor", "auditor", None),
    "manager": ("Manager", "department_manager", "environment"),
    "colleague": ("Colleague", "department_member", "environment"),
    "stranger": ("Stranger", "department_manager", "finance"),
}


class Page:
    """What a browser got: the answer, and its HTML as a tree."""

    def __init__(self, answer: TestResponse) -> None:
        self.answer = answer
        self.status = answer.status_code
        self.location = answer.headers.get("Location", "")
        self.tree = html.fromstring(answer.text) if answer.text else html.fromstring("<html></html>")

    def all(self, xpath: str) -> list[Any]:
        return list(self.tree.xpath(xpath))

    def texts(self, xpath: str) -> list[str]:
        return [" ".join(found.text_content().split()) for found in self.all(xpath)]

    def text(self, xpath: str = "//body") -> str:
        return " ".join(self.texts(xpath))

    @property
    def csrf(self) -> str:
        return str(self.all("//meta[@name='csrf-token']/@content")[0])


class Visitor:
    """A browser. `post` sends the CSRF token of the last page that was read, as its forms do."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.page = Page(client.get("/healthz"))

    def get(self, path: str, **more: Any) -> Page:
        self.page = Page(self.client.get(path, **more))
        return self.page

    def post(self, path: str, form: dict[str, str] | None = None, **more: Any) -> Page:
        return Page(self.client.post(path, data={"csrf_token": self.page.csrf, **(form or {})}, **more))

    def enter(self, user: str, password: str, next: str = "") -> Page:
        self.get("/sign-in")
        return self.post("/sign-in", {"user": user, "password": password, "next": next})

    def speak(self, language: str) -> "Visitor":
        self.get("/sign-in")
        self.post("/language", {"lang": language})
        return self


class Visitors:
    """Makes people as tests ask for them."""

    def __init__(self, http: Callers) -> None:
        self.http = http
        self.sessions: Sessions = http.sessions
        self.people: dict[str, Person] = {}

    def person(self, who: str) -> Person:
        """Return one of PEOPLE, who is made where this is the first one hears of them."""
        if who not in self.people:
            name, role, department = PEOPLE[who]
            with transaction(self.sessions) as session:
                keys = self.http.app.config["ENTRANCE"].keys
                self.people[who] = person(session, NewUser(who, name, role, department), keys)
        return self.people[who]

    def password(self, who: str) -> str:
        return self.person(who).password

    def nobody(self) -> Visitor:
        return Visitor(self.http.app.test_client())

    def __call__(self, who: str, language: str = "en") -> Visitor:
        """Return the browser of one of PEOPLE, signed in."""
        visitor = self.nobody().speak(language)
        known = self.person(who)
        assert visitor.enter(who, known.password).status == 302
        if known.codes:
            visitor.get("/second-factor")
            assert visitor.post("/second-factor", {"code": known.codes.pop()}).status == 302
        return visitor
