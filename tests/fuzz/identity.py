"""Who fuzzes: a program of each role, and nobody. A token that was ended on the way is replaced by a new program's.

Fuzzing ends accounts and tokens, its own too: what comes after that would all be 401 and show nothing.
"""

from dataclasses import dataclass
from itertools import count
from typing import Any, get_args

import requests
from schemathesis import Case
from schemathesis.auths import AuthContext
from schemathesis.schemas import BaseSchema

from controlplane.actor import Role
from controlplane.bootstrap import Installation
from controlplane.db import transaction
from controlplane.policy import OF_DEPARTMENTS
from tests.access.place import OURS
from tests.accounts import token_of

NOBODY = "nobody"
WHO: tuple[str, ...] = (*get_args(Role), NOBODY)


@dataclass
class Bearer:
    """The tokens of one role at one web server; `renewed` counts those that had to be replaced."""

    installation: Installation
    url: str
    role: str
    renewed: int = -1

    def __post_init__(self) -> None:
        self._numbers = count()
        self.secret = ""
        self.renew()

    def renew(self) -> None:
        """Have a token of a program that is not there yet."""
        department = OURS if self.role in OF_DEPARTMENTS else None
        with transaction(self.installation.sessions) as session:
            name = f"fuzz-{self.role.replace('_', '-')}-{next(self._numbers)}"
            self.secret = token_of(session, name, self.role, department)  # type: ignore[arg-type]
        self.renewed += 1

    def living(self) -> str:
        """Return a token that is good just now."""
        if self.ask("/api/v1/whoami").status_code == requests.codes.unauthorized:
            self.renew()
        return self.secret

    def ask(self, path: str) -> requests.Response:
        return requests.get(self.url + path, headers={"Authorization": f"Bearer {self.secret}"}, timeout=60)


def carry(schema: BaseSchema, bearer: Bearer) -> None:
    """Have every call of a schema carry a bearer's token; a 401 has it looked at, and the call made again."""

    @schema.auth()
    class _Token:
        def get(self, case: Case, context: AuthContext) -> str:
            return bearer.living()

        def set(self, case: Case, data: Any, context: AuthContext) -> None:
            case.headers["Authorization"] = f"Bearer {data}"
