"""Who an account is for: sealed where it is kept, found by whole names and numbers that are kept as keyed hashes.

As little as will do is asked for: a name, the number that the department knows somebody by, and one way to reach them.
"""

import json
import unicodedata
from typing import Annotated

from cryptography.fernet import InvalidToken
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from controlplane.secrets import Keys

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64, pattern=r"^[^\x00-\x1f]*$")]


class CannotOpen(Exception):
    """A person was sealed with a key that is not here: see STEPPE_SEALING_KEYS."""


class Person(BaseModel):
    """Somebody of a department. `number` is what the department knows them by; phone or mail, or neither."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Line
    number: Line
    phone: Annotated[str, StringConstraints(pattern=r"^\+?[0-9 ()-]{5,24}$")] | None = None
    mail: Annotated[str, StringConstraints(max_length=120, pattern=r"^[^@\s]+@[^@\s]+$")] | None = Field(default=None)


def sealed(keys: Keys, person: Person) -> dict[str, str]:
    """Return a person as an ask for an account takes them: `sealed`, `name_key`, `number_key`."""
    plain = json.dumps(person.model_dump(exclude_none=True), ensure_ascii=False)
    return {
        "sealed": keys.sealing.encrypt(plain.encode()).decode(),
        "name_key": name_key(keys, person.name).hex(),
        "number_key": number_key(keys, person.number).hex(),
    }


def opened(keys: Keys, text: str) -> Person:
    """Return the person that was sealed. Raises CannotOpen."""
    try:
        return Person.model_validate_json(keys.sealing.decrypt(text))
    except InvalidToken as error:
        raise CannotOpen(CannotOpen.__doc__) from error


def name_key(keys: Keys, name: str) -> bytes:
    """Return what stands for a whole name in searches; spaces, case and width of letters make no difference."""
    return keys.hidden(f"person name:{_plain(name)}")


def number_key(keys: Keys, number: str) -> bytes:
    """Return what stands for a whole number in searches, likewise."""
    return keys.hidden(f"person number:{_plain(number)}")


def _plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())
