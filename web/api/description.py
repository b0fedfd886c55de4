"""What every operation's description says besides its own form: refusals, headers of writes, what a dry run answers.

One place, applied to the finished document: an operation cannot forget it.
"""

from typing import Any

PROBLEMS = {
    "400": "Not a request: a broken cursor, or nothing that HTTP knows",
    "401": "Nobody: no token, or one that is unknown, expired or revoked, or whose owner is disabled",
    "403": "The caller's role does not allow this",
    "404": "No such thing, or another tenant's",
    "409": "Refused by quota, capacity or the thing's present state",
    "412": "Changed since it was read",
    "413": "The body is too large",
    "414": "The address is too long",
    "415": "The body is not application/json",
    "422": "Not of the form that it should have",
    "431": "The headers are too large",
    "500": "An error in Steppe itself; nothing was changed",
    "503": "Contended; nothing was taken, try again",
}
_OF_WRITES_ALONE = frozenset({"409", "412", "413", "415", "503"})
_WRITES = frozenset({"post", "put", "patch", "delete"})

_SECRET = frozenset(
    {
        ("post", "/api/v1/tokens"),
        ("post", "/api/v1/users"),
        ("post", "/api/v1/users/{ref}/reset-password"),
        ("post", "/api/v1/vms/{ref}/console"),
        ("post", "/api/v1/requests/{ref}/progress-link"),
        ("post", "/api/v1/vpn-accounts/credentials"),
        ("post", "/api/v1/webhooks"),
        ("post", "/api/v1/webhooks/{ref}/rotate"),
    }
)
"""What is answered with a secret: that is never kept for a repeat."""

_VERSIONED = ("/api/v1/vms/{", "/api/v1/vpn-accounts/{", "/api/v1/drifts/{")
"""Where whatever is done heeds the version that it was decided by."""

_IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "kept 24 h per caller: a repeat with the same key and body gets the first answer again",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "the ETag of a read: 412 where the thing was changed since",
    "schema": {"type": "string", "pattern": '^(\\*|"v[0-9]{1,18}")$'},
}


def described(document: dict[str, Any]) -> dict[str, Any]:
    """Return the OpenAPI document with what is common to its operations filled in."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            answers = operation["responses"]
            _say_what_is_answered(path, method, answers)
            for status, description in PROBLEMS.items():
                if method in _WRITES or status not in _OF_WRITES_ALONE or status in answers:
                    answers[status] = _problem(description)
            if method in _WRITES:
                operation["parameters"] = [*operation.get("parameters", ()), *_headers(path, method)]
    return document


def _headers(path: str, method: str) -> list[dict[str, Any]]:
    headers = [] if (method, path) in _SECRET else [_IDEMPOTENCY]
    heeded = method == "patch" or (path.startswith(_VERSIONED) and (method, path) not in _SECRET)
    return [*headers, _IF_MATCH] if heeded else headers


def _say_what_is_answered(path: str, method: str, answers: dict[str, Any]) -> None:
    """Fill in a plain answer where an operation names none, and the answer to a dry run."""
    if not any(status.startswith("2") for status in answers):
        creates = method == "post" and "{" not in path
        answers["201" if creates else "200"] = _object("Done" if method in _WRITES else "Found")
    if method in _WRITES and "200" not in answers:
        answers["200"] = _object("What it would be, with dry_run=true: nothing was changed")


def _object(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": {"type": "object"}}}}


def _problem(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": description, "content": {"application/problem+json": {"schema": schema}}}
