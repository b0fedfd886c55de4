"""One transaction a request: committed when the answer is good, rolled back when it is not or was only a dry run."""

import hashlib

from flask import Flask, Response, g, jsonify, request

from controlplane.db import Sessions, hurried
from controlplane.errors import Invalid, Refusal
from controlplane.services import idempotency
from controlplane.services.idempotency import Answer
from web import context, errors

_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_SECRET = frozenset({"tokens.create", "vms.console", "users.create", "users.reset_password"}) | {
    "console.vpn_passwords_issue",
    "requests_progress.make",
    "vpn_accounts.credentials",
    "webhooks.create",
    "webhooks.rotate",
}
_KEPT_HEADERS = ("Location", "ETag", "Content-Type")


def init_app(app: Flask, sessions: Sessions) -> None:
    """Open a session for every request of `app` and end its transaction with the answer."""

    @app.before_request
    def begin() -> None:
        # A form shows what was refused beside what was filled in, so its view must be told.
        g.session = hurried(sessions()) if context.for_program() else sessions()

    @app.teardown_request
    def close(_error: BaseException | None) -> None:
        if "session" in g:
            g.session.close()


def init_idempotency(app: Flask) -> None:
    """Answer repeats of a write with its first answer. To be called when it is known who asks."""

    @app.before_request
    def replay() -> Response | None:
        key = request.headers.get("Idempotency-Key")
        if key is None or request.method not in _WRITES or g.actor is None:
            return None
        if request.endpoint in _SECRET:
            raise Invalid(field="Idempotency-Key", reason="the answer holds a secret, which is never kept")
        # A dry run keeps nothing, and refuses what the write itself would refuse.
        idempotency.check(key)
        if context.dry_run():
            return None
        known = idempotency.earlier_answer(g.session, g.actor, key, _fingerprint())
        if known is None:
            g.idempotency_key = key
            return None
        answer = Response(known.body, known.status, known.headers)
        answer.headers["Idempotent-Replayed"] = "true"
        g.replayed = True
        return answer

    @app.after_request
    def finish(answer: Response) -> Response:
        return _finish(answer)


def _finish(answer: Response) -> Response:
    if "session" not in g or answer.status_code >= 400:
        return answer
    if request.method in _WRITES and context.dry_run():
        return _would(answer)
    try:
        _keep_answer(answer)
        g.session.commit()
    except Refusal as refusal:
        # What was written is waited for no sooner than here: by whatever speaks to the database first.
        return errors.refused(refusal)
    return answer


def _keep_answer(answer: Response) -> None:
    key = g.get("idempotency_key")
    if key and not g.get("replayed"):
        headers = {name: answer.headers[name] for name in _KEPT_HEADERS if name in answer.headers}
        kept = Answer(answer.status_code, headers, answer.get_data(as_text=True))
        idempotency.keep(g.session, g.actor, key, _fingerprint(), kept)


def _would(answer: Response) -> Response:
    """Return the answer to a dry run: the same body, marked, and no pointer to a thing that will not exist."""
    g.session.rollback()
    dry = jsonify({"dry_run": True, **(answer.get_json(silent=True) or {})})
    dry.headers["Steppe-Dry-Run"] = "true"
    return dry


def _fingerprint() -> bytes:
    return b"\n".join((request.method.encode(), request.full_path.encode(), _body()))


def _body() -> bytes:
    """Return what tells one body from another: of a form with files what is in it, for each sending of it is written
    with other separators."""
    if request.mimetype != "multipart/form-data":
        return request.get_data(cache=True)
    parts = [repr(sorted(request.form.items(multi=True))).encode()]
    for field, file in sorted(request.files.items(multi=True)):
        file.seek(0)
        parts += [repr((field, file.filename)).encode(), hashlib.sha256(file.read()).digest()]
        file.seek(0)
    return b"\n".join(parts)
