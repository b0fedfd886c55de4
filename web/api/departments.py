"""Departments and their quotas."""

from flask import Response

from controlplane import lookups
from controlplane.reports import quota as report
from controlplane.services import departments as service
from web import present
from web.api.nouns import listing, noun
from web.context import actor, session, version
from web.schemas import DepartmentBody, DepartmentChange, DepartmentQuery, QuotaBody, RefPath, WriteQuery

api = noun("departments", "/departments", "Tenants, their tree and their quotas")


@api.get("")
def index(query: DepartmentQuery) -> Response:
    """List departments"""
    return present.page(lookups.departments(session(), actor(), listing(query)), present.department)


@api.post("")
def create(body: DepartmentBody, query: WriteQuery) -> Response:
    """Create a department"""
    new = service.NewDepartment(**body.model_dump())
    made = service.create(session(), actor(), new)
    return present.created(present.department(made), "/departments", made)


@api.get("/<ref>")
def show(path: RefPath) -> Response:
    """Show a department"""
    found = lookups.department_for(session(), actor(), path.ref, "department.read")
    return present.answer(present.department(found), version=found.version)


@api.patch("/<ref>")
def update(path: RefPath, body: DepartmentChange, query: WriteQuery) -> Response:
    """Change a department's names"""
    changed = service.update(session(), actor(), path.ref, body.model_dump(exclude_unset=True), version())
    return present.answer(present.department(changed), version=changed.version)


@api.delete("/<ref>")
def delete(path: RefPath, query: WriteQuery) -> Response:
    """Close a department that holds nothing"""
    service.delete(session(), actor(), path.ref)
    return present.answer({}, 200)


@api.get("/<ref>/quota")
def quota(path: RefPath) -> Response:
    """Show limits, use and holds of a department"""
    return _quota(lookups.department_for(session(), actor(), path.ref, "quota.read"))


@api.put("/<ref>/quota")
def set_quota(path: RefPath, body: QuotaBody, query: WriteQuery) -> Response:
    """Set limits per class"""
    return _quota(service.set_quota(session(), actor(), path.ref, body.limits))


def _quota(department: present.Record) -> Response:
    found = report.of_departments(session(), actor(), [department.id])
    return present.answer(
        {"department": department.code, "classes": [present.balance(b) for b in found.get(department.id, ())]}
    )
