"""Accounts of people and programs."""

from flask import Response

from controlplane import accounts
from controlplane.policy import authorize
from controlplane.services import leavers
from controlplane.services import users as service
from controlplane.services.users import NewUser
from web import present
from web.api.nouns import listing, noun
from web.context import actor, entrance, identity_of, session, version
from web.schemas import IdentityBody, RefPath, UserBody, UserChange, UserQuery, WriteQuery

api = noun("users", "/users", "Accounts of people, who sign in, and of programs, which have tokens")


@api.get("")
def index(query: UserQuery) -> Response:
    """List accounts"""
    return present.page(accounts.users(session(), actor(), listing(query)), present.user)


@api.post("")
def create(body: UserBody, query: WriteQuery) -> Response:
    """Create an account; the first password of a person is in this answer alone"""
    identity = identity_of(None, body.login) if body.login else None
    new = NewUser(**body.model_dump(exclude={"login"}), identity=identity)
    made, password = service.create(session(), actor(), new)
    return present.created({**present.user(made), "password": password}, "/users", made)


@api.get("/<ref>")
def show(path: RefPath) -> Response:
    """Show an account by id or user name, and until when its name is locked"""
    found = accounts.user_for(session(), actor(), path.ref)
    locked = accounts.locked_until(session(), entrance(), found)
    return present.answer({**present.user(found), "locked_until": present.stamp(locked)}, version=found.version)


@api.patch("/<ref>")
def update(path: RefPath, body: UserChange, query: WriteQuery) -> Response:
    """Change an account; another role ends its sessions"""
    changed = service.update(session(), actor(), path.ref, body.model_dump(exclude_unset=True), version())
    return present.answer(present.user(changed), version=changed.version)


@api.post("/<ref>/disable")
def disable(path: RefPath, query: WriteQuery) -> Response:
    """Keep an account out with its tokens; its sessions end"""
    return present.answer(present.user(leavers.disable(session(), actor(), path.ref)))


@api.post("/<ref>/enable")
def enable(path: RefPath, query: WriteQuery) -> Response:
    """Let an account in again"""
    return present.answer(present.user(leavers.enable(session(), actor(), path.ref)))


@api.post("/<ref>/reset-password")
def reset_password(path: RefPath, query: WriteQuery) -> Response:
    """Give somebody a new first password, in this answer alone; the name is unlocked, the sessions end"""
    found, password = service.reset_password(session(), actor(), entrance(), path.ref)
    return present.answer({**present.user(found), "password": password})


@api.post("/<ref>/reset-second-factor")
def reset_second_factor(path: RefPath, query: WriteQuery) -> Response:
    """Forget somebody's second factor; the sessions end"""
    return present.answer(present.user(service.reset_second_factor(session(), actor(), path.ref)))


@api.put("/<ref>/identity")
def link(path: RefPath, body: IdentityBody, query: WriteQuery) -> Response:
    """Let somebody come in under an account through the identity provider; its sessions end"""
    authorize(actor(), "role.grant")
    identity = identity_of(body.subject, body.login)
    return present.answer(present.user(service.link(session(), actor(), path.ref, identity)))


@api.delete("/<ref>/identity")
def unlink(path: RefPath, query: WriteQuery) -> Response:
    """Let nobody come in under an account through the identity provider any more; its sessions end"""
    return present.answer(present.user(service.unlink(session(), actor(), path.ref)))


@api.delete("/<ref>")
def remove(path: RefPath, query: WriteQuery) -> Response:
    """Take everything from somebody who leaves, for good: sessions, tokens, password, second factor"""
    return present.answer(present.user(leavers.remove_leaver(session(), actor(), path.ref)))
