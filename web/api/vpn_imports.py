"""Imports of VPN accounts from tables."""

from flask import Response, request

from controlplane import lookups, vpn_sheets
from controlplane.policy import authorize
from controlplane.services import vpn_imports as service
from controlplane.services.vpn_imports import NewImport
from controlplane.vpn_import import problems
from web import files, present
from web.api.nouns import listing, noun
from web.context import actor, entrance, own_department, session
from web.language import language
from web.schemas import IdPath, WriteQuery
from web.vpn_import_shapes import (
    TEMPLATES,
    TemplateQuery,
    VpnImport,
    VpnImportForm,
    VpnImportQuery,
    VpnImports,
    VpnImportWithProblems,
    shaped,
    with_problems,
)

api = noun("vpn_imports", "/vpn-imports", "Tables of VPN accounts: checked first, then all of them or none")


@api.get("", responses={200: VpnImports})
def index(query: VpnImportQuery) -> Response:
    """List imports, the newest first"""
    return present.page(lookups.vpn_imports(session(), actor(), listing(query)), shaped)


@api.post("", responses={202: VpnImport})
def create(form: VpnImportForm, query: WriteQuery) -> Response:
    """Send a table to be checked; nothing is asked for before it is started"""
    authorize(actor(), "resource.create")
    new = NewImport(own_department(form.department), files.uploaded())
    made = service.make(session(), actor(), entrance().keys, new)
    answer = present.answer(shaped(made), 202)
    answer.headers["Location"] = f"{request.script_root}/api/v1/vpn-imports/{made.id}"
    return answer


@api.get("/template", responses={200: TEMPLATES})
def template(query: TemplateQuery) -> Response:
    """An empty table with its headings, in the language that is accepted"""
    authorize(actor(), "resource.create")
    content = vpn_sheets.template(query.format, chinese=language() == "zh")
    return files.saved(content, f"vpn-accounts.{query.format}", vpn_sheets.MEDIA_TYPES[query.format])


@api.get("/<ref>", responses={200: VpnImportWithProblems})
def show(path: IdPath) -> Response:
    """Show how far an import is, and what is wrong with it"""
    found = lookups.vpn_import_for(session(), actor(), path.ref)
    told = with_problems(found, problems.opened(entrance().keys, found.problems))
    return present.answer(told, version=found.version)


@api.post("/<ref>/start", responses={202: VpnImport})
def start(path: IdPath, query: WriteQuery) -> Response:
    """Make the accounts of an import that was checked and is ready"""
    return present.answer(shaped(service.start(session(), actor(), path.ref)), 202)


@api.delete("/<ref>")
def discard(path: IdPath, query: WriteQuery) -> Response:
    """Throw an import away that was not started, or that failed"""
    service.discard(session(), actor(), path.ref)
    return present.answer({})
