"""How imports of VPN accounts go in and out of the API."""

from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

from flask_openapi3 import FileStorage
from pydantic import AwareDatetime, BaseModel, Field

from controlplane.kinds.vpn_account import Code
from controlplane.vpn_import.problems import MOST_KEPT, Problem
from controlplane.vpn_import.states import ImportState
from controlplane.vpn_sheets import MEDIA_TYPES, Form
from web.present import Record, fields, recorded, stamp
from web.schemas import Strict
from web.shapes import Answer

TEMPLATES = {"content": {of: {"schema": {"type": "string", "format": "binary"}} for of in MEDIA_TYPES.values()}}


class VpnImportForm(Strict):
    file: FileStorage | None = Field(None, description="CSV in UTF-8 or GB18030, or XLSX; at most 10 MiB, 30,000 rows")
    department: Code | None = Field(None, description="the caller's own where it is left out")


class VpnImportQuery(Strict):
    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = None
    sort: Literal["created_at", "-created_at"] | None = None
    department: str | None = None
    state: ImportState | None = None


class TemplateQuery(Strict):
    format: Form = "csv"


class ImportProblem(BaseModel):
    """One thing that is wrong: in a line of the file, or with the whole of it where there is none."""

    line: int | None
    column: str | None = Field(description="the heading, or which column it is from the left")
    code: str
    detail: str


class ImportQuota(BaseModel):
    """The department's quota of VPN accounts, as it was checked and as it would be then."""

    limit: int | None
    held: int
    before: int
    after: int


class VpnImport(Answer):
    """One import. `step`, `done` and `total` tell how far it is, in rows."""

    id: UUID
    department: str
    state: ImportState
    file_name: str
    asked_by: str
    step: str
    done: int
    total: int
    problem_count: int
    quota: ImportQuota | None
    request: UUID | None = Field(description="what came of it")
    ended_at: AwareDatetime | None


class VpnImportWithProblems(VpnImport):
    """One import with what is wrong with it."""

    problems: list[ImportProblem] = Field(description=f"the first {MOST_KEPT} of them")


class VpnImports(Answer):
    """A page of imports, newest first."""

    items: list[VpnImport]


def shaped(i: Record) -> dict[str, Any]:
    return {
        **recorded(i),
        **fields(i, "state", "file_name", "step", "done", "total", "problem_count", "quota"),
        "department": i.department.code,
        "asked_by": i.asked_by_name,
        "request": str(i.request_id) if i.request_id else None,
        "ended_at": stamp(i.ended_at),
    }


def with_problems(i: Record, problems: Sequence[Problem]) -> dict[str, Any]:
    told = [{"line": p.line, "column": p.column, "code": p.code, "detail": p.detail} for p in problems]
    return {**shaped(i), "problems": told}
