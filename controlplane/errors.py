"""Refusals: every way in which Steppe says no.

The docstring of a refusal is its message, with the values of the instance filled in; its code is permanent, so that
a script can rely on it. A refusal rolls the whole transaction back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from quotas.amounts import Shortage


class Refusal(Exception):
    """The request was refused."""

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 409

    def __init__(self, **values: Any) -> None:
        self.values = values
        super().__init__(self.message)

    @property
    def template(self) -> str:
        """The message before its values are filled in: what a translation is looked up by."""
        return " ".join((type(self).__doc__ or "").split())

    @property
    def message(self) -> str:
        """The message for a person, in English."""
        return self.template.format(**self.values)

    def numbers(self) -> dict[str, Any]:
        """Return what a program may want beside the message."""
        return {}


class NotFound(Refusal):
    """There is no {noun} {name!r} that you may see."""

    code = "not_found"
    status = 404


class Forbidden(Refusal):
    """Your role {role} does not allow {action}; ask an administrator."""

    code = "forbidden"
    status = 403


class ApprovalNeeded(Refusal):
    """This has to be approved first, by {roles}. Send it as a request: POST /api/v1/requests, or Ask in the console."""

    code = "request.approval_needed"
    status = 409


class ApprovalMissing(Refusal):
    """This needs the approval of {roles} by now, which was not asked for: return it, to be submitted again."""

    code = "request.approval_missing"


class NoTransfer(Refusal):
    """This cannot be handed over as it is asked: the other department, its system or its quota does not take it.
    Ask the administrator."""

    code = "request.no_transfer"


class OwnRequest(Refusal):
    """You asked for this yourself: somebody else has to decide on it."""

    code = "request.own"
    status = 403


class AlreadyDecided(Refusal):
    """You have decided on this request already: the other approval is somebody else's to give."""

    code = "request.already_decided"
    status = 403


class CannotHandTo(Refusal):
    """There is nobody {name!r} to whom you could hand this: it must be somebody else of the same role, or of the
    department that asks, who did not ask for it."""

    code = "request.cannot_hand_to"
    status = 422


class NotYourRequest(Refusal):
    """Only {name}, who asked for it, may change, submit or withdraw this request. Whoever decides may return it."""

    code = "request.not_yours"
    status = 403


class LinkNoGood(Refusal):
    """This link is no longer good. Ask whoever gave it to you for a new one."""

    code = "progress.no_good"
    status = 404


class RegisterClosed(Refusal):
    """There is no public register here. Sign in to see what was decided for your department."""

    code = "register.closed"
    status = 404


class NotSignedIn(Refusal):
    """Sign in, or send a valid token: Authorization: Bearer TOKEN."""

    code = "not_signed_in"
    status = 401


class WrongCredentials(Refusal):
    """User name or password is wrong."""

    code = "wrong_credentials"
    status = 401


class SignInLocked(Refusal):
    """Too many wrong tries under this user name. Try again in {minutes} minutes, or ask an administrator."""

    code = "sign_in.locked"
    status = 429


class SignInBusy(Refusal):
    """Too many people sign in at this moment. Try again in a few seconds."""

    code = "sign_in.busy"
    status = 503


class WrongCode(Refusal):
    """This code is wrong, too old, or was used already. Wait for the next one."""

    code = "second_factor.wrong"
    status = 401


class WrongNetwork(Refusal):
    """This account may not be used from {address}. Use it from the networks that it is confined to."""

    code = "account.network"
    status = 403


class Unfinished(Refusal):
    """Sign in at the console first: a new password or a second factor is wanted of you there."""

    code = "account.unfinished"
    status = 403


class OwnAccount(Refusal):
    """Nobody does this to the own account; ask another administrator."""

    code = "account.own"


class LastOfItsRole(Refusal):
    """{name!r} is the last active security administrator; make another one first."""

    code = "account.last"


class HasLeft(Refusal):
    """{name!r} has left and does not come back; make a new account."""

    code = "account.left"


class AdministratorsExist(Refusal):
    """There are administrators already: the security administrator makes further users."""

    code = "account.bootstrapped"


class OnTheHostAlone(Refusal):
    """A token of this account is made by its owner, or on the host by `steppe token create`."""

    code = "token.owner"
    status = 403


class TokenMakesNone(Refusal):
    """A token cannot make tokens: sign in at the console, or use `steppe token create` on the host."""

    code = "token.by_token"
    status = 403


class PasswordLength(Refusal):
    """A password has {least} characters or more, and at most {most}."""

    code = "password.length"
    status = 422


class PasswordHasName(Refusal):
    """A password must not hold the user name."""

    code = "password.user_name"
    status = 422


class PasswordTooPlain(Refusal):
    """A password needs three of these: capital letters, small letters, digits, other characters."""

    code = "password.classes"
    status = 422


class PasswordGuessable(Refusal):
    """This password is too easy to guess. Take several words that do not belong together."""

    code = "password.guessable"
    status = 422


class PasswordUsed(Refusal):
    """You had this password before; choose another one."""

    code = "password.used"
    status = 422


class ConsoleRefused(Refusal):
    """This console ticket is not valid, or not any more; open the console again from the page of the machine."""

    code = "console.refused"
    status = 403


class Invalid(Refusal):
    """{field}: {reason}"""

    code = "invalid"
    status = 422

    def numbers(self) -> dict[str, Any]:
        return {"problems": [{"field": self.values["field"], "detail": self.values["reason"]}]}


class AlreadyExists(Refusal):
    """A {noun} {name!r} exists already; choose another name."""

    code = "already_exists"


class InUse(Refusal):
    """{noun} {name!r} is still used by {users}; remove these first."""

    code = "in_use"


class NotNow(Refusal):
    """{name!r} is {state}: {verb} is possible when it is {when}."""

    code = "not_now"


class NothingFits(Refusal):
    """There is no {noun} that fits and that {verb} is possible for now."""

    code = "nothing_fits"


class OnHold(Refusal):
    """{name!r} is on legal hold: nothing of it is stopped, rebuilt or deleted until the security administrator lifts
    the hold."""

    code = "lease.on_hold"


class InQuarantine(Refusal):
    """The lease of {name!r} is over and it is in quarantine: ask for an extension of its lease first."""

    code = "lease.quarantined"


class TooLate(Refusal):
    """The deletion of {name!r} has begun: it cannot be kept any more."""

    code = "lease.too_late"


class Stale(Refusal):
    """It was changed by somebody else since you read it; read it again."""

    code = "stale"
    status = 412


class NoWebhookUrl(Refusal):
    """A webhook needs an address such as https://host/path: of http or https, without a user name, spaces or letters
    beyond ASCII, at most 2000 characters long."""

    code = "webhook.url"
    status = 422


class ForbiddenTarget(Refusal):
    """Webhooks may not be sent to {host}: it is this host itself, a link-local or metadata address, or not among what
    STEPPE_WEBHOOK_ALLOWED lists. Name another host, or ask an administrator."""

    code = "webhook.forbidden_target"
    status = 422


class WebhookDisabled(Refusal):
    """The webhook {name} is disabled. Enable it first."""

    code = "webhook.disabled"


class StillToGoOut(Refusal):
    """This has yet to go out. Only what was delivered, or given up, can be sent once more."""

    code = "webhook.still_to_go_out"


class LetInAlready(Refusal):
    """{department} lets in {rule} already: there is nothing to add."""

    code = "ingress.exists"


class TooManyRules(Refusal):
    """{department} has {most} ingress rules, which is the most: remove one, or let one rule say more."""

    code = "ingress.too_many"


class NoAddress(Refusal):
    """Subnet {subnet!r} has only {free} free addresses and {asked} are asked; choose another subnet."""

    code = "no_address"

    def numbers(self) -> dict[str, Any]:
        return {"subnet": self.values["subnet"], "free": self.values["free"], "asked": self.values["asked"]}


class AddressTaken(Refusal):
    """Address {address} of subnet {subnet!r} is used already; find out by whom before you give it twice."""

    code = "address_taken"


class NotItsDisk(Refusal):
    """{name!r} was adopted: Steppe did not make its disks and changes none of them. Ask for a new one and move over."""

    code = "vm.adopted"


class FloatNeedsApproval(Refusal):
    """An address of {subnet} has to be approved first, by {roles}, and no request gives one to a machine that exists:
    ask for a new machine with it, and move over."""

    code = "floating.approval_needed"
    status = 409


class NoFloating(Refusal):
    """{name!r} was adopted, or is in a pool whose machines have no floating addresses: ask for a new one that has, and
    move over."""

    code = "floating.not_here"


class HasFloating(Refusal):
    """{name!r} has the floating address {address} already: take that away first."""

    code = "floating.one_already"


class HasNoFloating(Refusal):
    """{name!r} has no floating address."""

    code = "floating.none"


class NoSnapshots(Refusal):
    """{name!r} is in a pool whose machines have no snapshots: copy what is to be kept."""

    code = "snapshot.not_here"


class SnapshotNeedsApproval(Refusal):
    """A snapshot that counts {gib} GiB has to be approved first, by {roles}, and no request asks for one: have the
    centre take it."""

    code = "snapshot.approval_needed"


class SnapshotTaken(Refusal):
    """{name!r} has a snapshot {snapshot!r} already: choose another name, or delete that one first."""

    code = "snapshot.name_taken"


class TooManySnapshots(Refusal):
    """{name!r} has {most} snapshots, which is the most: delete one first."""

    code = "snapshot.too_many"


class SnapshotInUse(Refusal):
    """{name!r} was restored from its snapshot {snapshot!r} and needs it should it have to be made again: rebuild it, or
    restore it from another one, before you delete this."""

    code = "snapshot.in_use"


class DriftOver(Refusal):
    """This drift is over: it was {outcome} before you decided."""

    code = "drift.over"


class NotOurs(Refusal):
    """{name!r} was not made by Steppe, which never deletes such a machine: adopt it, or remove it on the hypervisor."""

    code = "drift.not_ours"


class LivesElsewhere(Refusal):
    """{name!r} is recorded in pool {pool!r} and was found in another too: remove the wrong one on its hypervisor."""

    code = "drift.elsewhere"


class WasOurs(Refusal):
    """{name!r} was deleted here and has come back; its id is used up. Repair removes it. To keep it, give it another
    UUID on the hypervisor and adopt that."""

    code = "drift.was_ours"


class OthersProject(Refusal):
    """{name!r} runs in the project of department {department} in its cloud; adopt it into that one."""

    code = "drift.others_project"


class NothingToAdopt(Refusal):
    """{name!r} is recorded or not there as a whole: only a machine that Steppe never made can be adopted."""

    code = "drift.nothing_to_adopt"


class NothingToAccept(Refusal):
    """What was found of {name!r} cannot become its record: repair it, or adopt it if it has none."""

    code = "drift.nothing_to_accept"


@dataclass(frozen=True, slots=True)
class NamedShortage:
    """A shortage with the name of the owner of the limit, as its reader knows it."""

    shortage: Shortage
    owner: str

    def as_dict(self) -> dict[str, Any]:
        s = self.shortage
        return {
            "class": s.resource_class,
            "owner": self.owner,
            "owner_kind": s.owner_kind,
            "limit": s.limit,
            "used": s.used,
            "held": s.held,
            "asked": s.asked,
            "short_by": s.short_by,
        }


class OverQuota(Refusal):
    """The quota does not cover this: {summary}. Ask for less, or ask the administrator to raise the limit."""

    code = "quota.exceeded"

    def __init__(self, shortages: Iterable[NamedShortage]) -> None:
        self.shortages = tuple(shortages)
        summary = "; ".join(
            f"{n.owner} is short of {n.shortage.short_by} {n.shortage.resource_class}" for n in self.shortages
        )
        super().__init__(summary=summary)

    def numbers(self) -> dict[str, Any]:
        return {"shortages": [s.as_dict() for s in self.shortages], **self.shortages[0].as_dict()}


class NoPool(Refusal):
    """No pool can take {what}: of {pools} pools {summary}."""

    code = "placement.no_pool"

    def __init__(self, what: str, pools: int, removed: Sequence[tuple[str, int]]) -> None:
        self.removed = tuple(removed)
        summary = ", ".join(f"{count} removed by {name}" for name, count in self.removed if count)
        super().__init__(what=what, pools=pools, summary=summary or "none is set up")

    def numbers(self) -> dict[str, Any]:
        return {"pools": self.values["pools"], "filters": [{"filter": n, "removed": c} for n, c in self.removed]}


class Contended(Refusal):
    """Pools filled up {times} times while this was being placed; nothing was taken. Try again."""

    code = "placement.contended"
    status = 503


class Unavailable(Refusal):
    """The database cannot be reached now. Send the same again in a few seconds."""

    code = "unavailable"
    status = 503


class KeyReused(Refusal):
    """This Idempotency-Key was used with another body; use a new key for a new ask."""

    code = "idempotency.key_reused"
    status = 422


class StillRunning(Refusal):
    """The first request with this Idempotency-Key is still running; wait for it."""

    code = "idempotency.still_running"


class BadCursor(Refusal):
    """The cursor is not one that this list gave; start again without it."""

    code = "bad_cursor"
    status = 400


class RowsRefused(Refusal):
    """{count} of the rows cannot be taken; nothing was done. See problems for each."""

    code = "bulk.rows_refused"
    status = 422

    def __init__(self, problems: Sequence[tuple[int, Refusal]]) -> None:
        self.problems = tuple(problems)
        super().__init__(count=len({row for row, _ in self.problems}))

    def numbers(self) -> dict[str, Any]:
        return {
            "problems": [{"row": row, "code": r.code, "detail": r.message, **r.numbers()} for row, r in self.problems]
        }
