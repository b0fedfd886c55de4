"""Opening the register of decided requests to everybody, and closing it again."""

from uuid import UUID

from sqlalchemy.orm import Session

from controlplane import audit
from controlplane.actor import Actor
from controlplane.options import Register, option, set_option
from controlplane.policy import authorize

REGISTER = UUID(int=0)
"""Target of what is done to the register: there is one."""


def shown(session: Session, actor: Actor) -> Register:
    """Return what is set of the register. Raises Forbidden."""
    authorize(actor, "request.read")
    return option(session, Register)


def change(session: Session, actor: Actor, wanted: Register) -> Register:
    """Set who may read the register, and whether it has titles. Raises Forbidden."""
    authorize(actor, "register.write")
    set_option(session, actor, wanted)
    details = wanted.model_dump(mode="json")
    audit.record(session, actor, [audit.Act("register.update", "register", REGISTER, "register", None, details)])
    return wanted
