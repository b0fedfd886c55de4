"""What tests of imports share: tables of people, people who import them, and looks at imports as workers take them."""

import io
from typing import Any
from uuid import UUID

import openpyxl
from sqlalchemy import select
from werkzeug.test import TestResponse

from controlplane.actor import Actor, Role
from controlplane.attachments.contents import Upload
from controlplane.bootstrap import Installation
from controlplane.db import transaction
from controlplane.lookups import subtree_of
from controlplane.models import User, VpnImport
from controlplane.services import users, vpn_imports
from controlplane.services.users import NewUser
from controlplane.services.vpn_imports import NewImport
from controlplane.vpn_import import looking, problems
from controlplane.vpn_import.problems import Problem
from tests.callers import Caller
from tests.people import OPERATOR
from tests.vpn_accounts.lab import VpnLab


def table(*lines: str, headings: str = "姓名,工号,用户名,手机") -> bytes:
    return "\r\n".join((headings, *lines)).encode("utf-8-sig")


def people(*numbers: int) -> bytes:
    """Return a table with a good row for each."""
    return table(*(f"王芳{n},E{n:05},wang{n},0471-0000001" for n in numbers))


def workbook(*lines: tuple[Any, ...]) -> bytes:
    book = openpyxl.Workbook()
    for line in lines:
        book.active.append(line)
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


def sent(caller: Caller, content: bytes, name: str = "people.csv", **form: str) -> TestResponse:
    """Send a table through the API."""
    return caller.post("/vpn-imports", data={"file": (io.BytesIO(content), name), **form})


def imported_through(caller: Caller, installation: Installation, content: bytes) -> str:
    """Import a table through the API, with what workers do for it; return the import's id."""
    ref = looked_at(installation, sent(caller, content).json["id"])
    assert caller.post(f"/vpn-imports/{ref}/start").status_code == 202
    return looked_at(installation, ref)


def looked_at(installation: Installation, ref: str) -> str:
    """Do for an import what a worker would do."""
    looking.look(looking.desk(installation), UUID(ref))
    return ref


class Importing:
    """Imports of one person, by the services and as workers look at them."""

    def __init__(
        self, lab: VpnLab, role: Role = "department_manager", department: str | None = "environment", name: str = "ma"
    ) -> None:
        self.lab, self.department = lab, department or "environment"
        self.desk = looking.desk(lab.installation)
        with transaction(lab.sessions) as session:
            made, _ = users.create(session, OPERATOR, NewUser(name, name, role, department))
            scope = frozenset(subtree_of(session, made.department_id)) if made.department_id else None
            self.actor = Actor(made.id, made.name, "user", role, made.department_id, scope, "trace", None, made.id)

    def send(self, content: bytes, name: str = "people.csv") -> UUID:
        """Send a table."""
        with transaction(self.lab.sessions) as session:
            new = NewImport(self.department, Upload(name, content))
            return vpn_imports.make(session, self.actor, self.lab.keys, new).id

    def checked(self, content: bytes, name: str = "people.csv") -> UUID:
        """Send a table and have it checked."""
        ref = self.send(content, name)
        self.look(ref)
        return ref

    def start(self, ref: UUID) -> None:
        with transaction(self.lab.sessions) as session:
            vpn_imports.start(session, self.actor, ref)

    def look(self, ref: UUID) -> str:
        return looking.look(self.desk, ref, "trace")

    def record(self, ref: UUID) -> VpnImport:
        with self.lab.sessions() as session:
            return session.get_one(VpnImport, ref)

    def problems(self, ref: UUID) -> list[Problem]:
        with self.lab.sessions() as session:
            return problems.opened(self.lab.keys, session.scalar(select(VpnImport.problems).where(VpnImport.id == ref)))

    def told(self, ref: UUID) -> list[tuple[int | None, str | None, str]]:
        """Return what is wrong: line, column and code of each."""
        return [(one.line, one.column, one.code) for one in self.problems(ref)]

    def change(self, **values: Any) -> None:
        """Change the account of whoever imports."""
        with transaction(self.lab.sessions) as session:
            user = session.get_one(User, self.actor.id)
            for name, value in values.items():
                setattr(user, name, value)
