"""gunicorn's worker, which tells in problem+json what was wrong with a request that never became one.

An address or a header that is too long, or that is none, is refused before the application sees it. gunicorn's own page
would be the one answer of the API that is not of the form that its description promises.
"""

import json
from http import HTTPStatus
from typing import Any

from gunicorn.http import errors  # type: ignore[import-untyped]
from gunicorn.util import write_nonblock  # type: ignore[import-untyped]
from uuid_utils.compat import uuid7

from web.lingering import LingeringWorker

_STATUS: tuple[tuple[type[Exception], HTTPStatus], ...] = (
    (errors.LimitRequestLine, HTTPStatus.REQUEST_URI_TOO_LONG),
    (errors.LimitRequestHeaders, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE),
    (errors.ExpectationFailed, HTTPStatus.EXPECTATION_FAILED),
    (errors.ParseException, HTTPStatus.BAD_REQUEST),
)
_NOT_THE_CALLERS = (
    errors.UnsupportedTransferCoding,
    errors.ConfigurationProblem,
    errors.InvalidResponseHeader,
    errors.InvalidResponseHeaderName,
)


class TellingWorker(LingeringWorker):
    """For `gunicorn --worker-class web.unreadable.TellingWorker`."""

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answer a request that could not be read; anything else that went wrong is gunicorn's to tell."""
        status = next((status for kind, status in _STATUS if isinstance(exc, kind)), None)
        if status is None or isinstance(exc, _NOT_THE_CALLERS):
            super().handle_error(req, client, addr, exc)
            return
        trace = uuid7().hex
        self.log.warning("Unreadable request from %s, request id %s: %s", (addr or ("-",))[0], trace, exc)
        try:
            write_nonblock(client, answer(status, trace))
        except OSError:
            self.log.debug("Whoever asked is gone.")


def answer(status: HTTPStatus, trace: str) -> bytes:
    """Return all that is sent, head and body; the connection ends with it, for nobody knows where the next begins."""
    problem = {
        "type": f"urn:steppe:problem:http.{status}",
        "title": status.phrase,
        "status": status,
        "detail": _DETAIL.get(status, "The request is not one that HTTP knows."),
        "code": f"http.{status}",
        "instance": "",
        "request_id": trace,
    }
    body = json.dumps(problem).encode()
    head = (
        f"HTTP/1.1 {status} {status.phrase}",
        "Connection: close",
        "Content-Type: application/problem+json",
        f"Content-Length: {len(body)}",
        f"X-Request-Id: {trace}",
        "X-Content-Type-Options: nosniff",
        "Cache-Control: no-store",
    )
    return "\r\n".join((*head, "", "")).encode() + body


_DETAIL = {
    HTTPStatus.REQUEST_URI_TOO_LONG: "The address is too long.",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "The headers are too large.",
}
