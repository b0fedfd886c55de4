"""Coming in through the identity provider: sent there with what only this browser knows, and taken back with that.

What an attempt must fit is in the browser's signed cookie and is used up by the first answer, good or bad. The provider
is asked with no transaction open.
"""

from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, abort, current_app, flash, redirect, request, session, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from controlplane import binding
from controlplane.errors import Refusal
from controlplane.oidc.provider import Attempt, Provider
from controlplane.oidc.refusals import SignInOver
from controlplane.oidc.vouched import Vouched, granted, vouched
from controlplane.services import provider_sign_in
from controlplane.sign_ins import Admitted
from web import auth, errors, known_browsers
from web.console import sign_in
from web.console.returning import local
from web.context import arrival, entrance, keep, provider
from web.context import session as records

_ATTEMPT = "oidc"
_LONGEST_TARGET = 1000


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/sign-in/oidc", "oidc", start, methods=["GET"])
    pages.add_url_rule("/sign-in/oidc/back", "oidc_back", finish, methods=["GET"])
    pages.add_url_rule("/sign-in/oidc/out", "oidc_out", leave, methods=["GET"])


def start() -> Redirect | Response:
    """Go to the identity provider"""
    known, back = _provider(), _short(request.args.get("next"))
    try:
        url, attempt = known.begin(_address("console.oidc_back"), arrival().now)
    except Refusal as refusal:
        return _turned_back(known, None, refusal, back)
    session[_ATTEMPT] = {**asdict(attempt), "next": back}
    return redirect(url)


def finish() -> Redirect | Response:
    """Come back from the identity provider"""
    known, begun = _provider(), session.pop(_ATTEMPT, None)
    back = local(begun.pop("next", None) if begun else None)
    who: Vouched | None = None
    try:
        if begun is None:
            raise SignInOver
        claims = known.finish(Attempt(**begun), request.args, _address("console.oidc_back"), arrival().now)
        who = vouched(known.configuration, claims)
        admitted = _enter(known, who, claims)
    except Refusal as refusal:
        return _turned_back(known, who, refusal, back)
    auth.remember(admitted.secret, back)
    return known_browsers.keep(redirect(back), admitted.mark)


def leave() -> Redirect:
    """Sign out at the identity provider too"""
    known, start_page = _provider(), _address("console.sign_in")
    try:
        url = known.sign_out_url(start_page)
    except Refusal as refusal:
        flash(errors.message(refusal), "bad")
        return redirect(start_page)
    if url is None:
        flash(_("The identity provider has no page for that: close the browser."), "bad")
    return redirect(url or start_page)


def _short(target: str | None) -> str:
    """Return where to go on to; the start page for what would not fit into a cookie beside the attempt."""
    return local(target if len(target or "") <= _LONGEST_TARGET else None)


def _enter(known: Provider, who: Vouched, claims: Any) -> Admitted:
    grant = granted(known.configuration, claims)
    binding.serve_centre(records())
    provision = known.configuration.provision
    admitted = provider_sign_in.enter(records(), entrance(), who, grant, arrival(), provision=provision)
    keep()
    return admitted


def _turned_back(known: Provider, who: Vouched | None, refusal: Refusal, back: str) -> Response:
    """Undo all but that it was tried, and show the sign-in page with the reason."""
    records().rollback()
    binding.serve_centre(records())
    issuer = known.configuration.issuer
    provider_sign_in.refused(records(), entrance(), issuer, who, refusal, arrival())
    keep()
    return sign_in.refused(sign_in.page(error=errors.message(refusal), next=back), refusal)


def _provider() -> Provider:
    """Return the provider, with no transaction open; where there is none, there is no such page."""
    known = provider()
    if known is None:
        abort(404)
    records().rollback()
    return known


def _address(endpoint: str) -> str:
    """Return where the provider sends browsers back to."""
    public: str | None = current_app.config["PUBLIC_URL"]
    return public + url_for(endpoint) if public else url_for(endpoint, _external=True)
