"""Files come with a request, over HTTP, at the console and by command; others do not find them."""

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text
from werkzeug.test import TestResponse

from controlplane.attachments.contents import Upload
from controlplane.attachments.refusals import TooManyAttachments
from controlplane.db import Sessions, transaction
from controlplane.models import AuditEvent, RequestAttachment
from controlplane.services import attachments
from controlplane.services.attachments import Bounds
from tests.callers import Caller, Callers
from tests.factories import given
from tests.people import ADMIN
from tests.statements import noted
from tests.web.visitors import Visitors
from tests.window.papers import PNG, office, pdf, svg
from tests.window.records import filed, made


def attach(caller: Caller, request: str, name: str, content: bytes, **more: Any) -> TestResponse:
    data = {"file": (io.BytesIO(content), name)}
    return caller.post(f"/requests/{request}/attachments", data=data, content_type="multipart/form-data", **more)


def kept(sessions: Sessions) -> int:
    with sessions() as session:
        return session.query(RequestAttachment).count()


def test_a_file_is_attached_listed_and_had_back(http: Callers) -> None:
    request = made(http.sessions)
    answer = attach(http.ours, request, "方案 v2.pdf", pdf())
    assert answer.status_code == 201, answer.text
    shown = answer.json
    assert (shown["name"], shown["media_type"], shown["size"]) == ("方案 v2.pdf", "application/pdf", len(pdf()))
    assert http.admin.get(f"/requests/{request}/attachments").json == {"items": [shown]}
    assert answer.headers["Location"] == f"/api/v1/attachments/{shown['id']}"
    assert http.ours.get(f"/attachments/{shown['id']}").json == shown
    content = http.ours.get(f"/attachments/{shown['id']}/content")
    assert content.data == pdf()
    assert shown["sha256"] == hashlib.sha256(pdf()).hexdigest()


def test_a_file_is_for_saving_and_never_shown(http: Callers) -> None:
    shown = attach(http.ours, made(http.sessions), "图 <纸>;.svg", svg()).json
    headers = http.ours.get(f"/attachments/{shown['id']}/content").headers
    assert headers["Content-Disposition"] == (
        "attachment; filename=\"_ ____.svg\"; filename*=UTF-8''%E5%9B%BE%20_%E7%BA%B8_%3B.svg"
    )
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].endswith("; sandbox")
    assert headers["Content-Type"] == "image/svg+xml"


def test_who_has_a_file_is_not_sent_it_again(http: Callers) -> None:
    shown = attach(http.ours, made(http.sessions), "a.png", PNG).json
    path = f"/attachments/{shown['id']}/content"
    head = http.ours._call("head", path)
    assert (head.data, head.headers["Content-Length"], head.headers["ETag"]) == (
        b"",
        str(len(PNG)),
        f'"{shown["sha256"]}"',
    )
    again = http.ours.get(path, headers={"If-None-Match": head.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize(
    ("name", "content", "status", "code"),
    [
        ("a.exe", b"MZ\x90\x00", 422, "attachment.type"),
        ("a.png", pdf(), 422, "attachment.misnamed"),
        ("a.txt", b"x" * (10 * 1024 * 1024 + 1), 413, "attachment.too_large"),
        ("a.svg", svg("<script>1</script>"), 422, "attachment.active"),
        ("a.docx", office(word__a=bytes(20 * 1024 * 1024)), 422, "attachment.swells"),
        ("a.docm", office(main="macroEnabled"), 422, "attachment.active"),
        ("..", pdf(), 422, "attachment.name"),
    ],
)
def test_what_is_refused_is_named_and_not_kept(
    http: Callers, name: str, content: bytes, status: int, code: str
) -> None:
    answer = attach(http.ours, made(http.sessions), name, content)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert name in answer.json["detail"] or name == ".."
    assert kept(http.sessions) == 0


def test_a_request_without_a_file_or_with_another_body_is_refused(http: Callers) -> None:
    path = f"/requests/{made(http.sessions)}/attachments"
    empty = http.ours.post(path, data={"other": "x"}, content_type="multipart/form-data")
    assert (empty.status_code, empty.json["code"]) == (422, "invalid")
    assert http.ours.post(path, json={}).json["code"] == "attachment.missing"
    assert http.ours.post("/systems", data={"a": "b"}, content_type="multipart/form-data").status_code == 415


@pytest.mark.parametrize(
    ("state", "added", "removed"),
    [("draft", 201, 200), ("returned", 201, 200), ("submitted", 201, 409), ("in_review", 201, 409), ("done", 409, 409)],
)
def test_a_file_is_added_until_it_is_decided_and_removed_while_it_is_being_written(
    http: Callers, state: str, added: int, removed: int
) -> None:
    request = made(http.sessions, state=state)
    ref = filed(http.sessions, request)
    assert attach(http.ours, request, "a.pdf", pdf()).status_code == added
    assert http.ours.delete(f"/attachments/{ref}").status_code == removed
    assert kept(http.sessions) == (added == 201) + (removed == 409)


def test_what_belongs_to_another_department_is_not_found(http: Callers) -> None:
    request = made(http.sessions)
    shown = attach(http.ours, request, "a.pdf", pdf()).json
    for path in (
        f"/requests/{request}/attachments",
        f"/attachments/{shown['id']}",
        f"/attachments/{shown['id']}/content",
    ):
        assert http.theirs.get(path).status_code == 404
    assert attach(http.theirs, request, "b.pdf", pdf()).status_code == 404
    assert http.theirs.delete(f"/attachments/{shown['id']}").status_code == 404
    assert attach(http.audit, request, "b.pdf", pdf()).status_code == 403
    assert attach(http.security, request, "b.pdf", pdf()).status_code == 201


def test_there_is_room_for_so_many_and_no_more(sessions: Sessions) -> None:
    given(sessions)
    request = made(sessions)
    with transaction(sessions) as session:
        for number in range(3):
            attachments.add(session, ADMIN, request, Upload(f"{number}.pdf", pdf()), Bounds(3, 1))
        with pytest.raises(TooManyAttachments, match=r"4\.pdf.*has 3.*Remove one"):
            attachments.add(session, ADMIN, request, Upload("4.pdf", pdf()), Bounds(3, 1))


def test_of_two_at_once_one_takes_the_last_place(sessions: Sessions) -> None:
    given(sessions)
    request, last = made(sessions), Bounds(1, 1)

    def second() -> None:
        with transaction(sessions) as session:
            attachments.add(session, ADMIN, request, Upload("b.pdf", pdf()), last)

    with ThreadPoolExecutor(1) as thread:
        with transaction(sessions) as session:
            attachments.add(session, ADMIN, request, Upload("a.pdf", pdf()), last)
            waiting = thread.submit(second)
            until_waiting(sessions)
        with pytest.raises(TooManyAttachments):
            waiting.result(10)
    assert kept(sessions) == 1


def until_waiting(sessions: Sessions) -> None:
    """Return once somebody waits for a lock."""
    with sessions() as session:
        while not session.scalar(text("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")):
            session.rollback()


def test_the_list_never_reads_what_is_in_the_files(http: Callers) -> None:
    request = made(http.sessions)
    attach(http.ours, request, "a.pdf", pdf())
    with noted(http.engine) as asked:
        assert len(http.ours.get(f"/requests/{request}/attachments").json["items"]) == 1
    assert any("request_attachments" in statement for statement in asked)
    assert not any("request_attachments.content" in statement for statement in asked)


def test_the_trail_says_who_attached_and_removed_what(http: Callers) -> None:
    shown = attach(http.ours, made(http.sessions), "a.pdf", pdf()).json
    http.ours.delete(f"/attachments/{shown['id']}")
    with http.sessions() as session:
        events = session.query(AuditEvent).where(AuditEvent.action.like("request.%tach")).order_by(AuditEvent.id)
        assert [(e.action, e.actor_name, e.details["file"]) for e in events] == [
            ("request.attach", "ours-api/token", "a.pdf"),
            ("request.detach", "ours-api/token", "a.pdf"),
        ]


def test_a_repeat_with_the_same_file_is_answered_again_and_with_another_refused(http: Callers) -> None:
    request, key = made(http.sessions), {"Idempotency-Key": "one"}
    first = attach(http.ours, request, "a.pdf", pdf(), headers=key)
    again = attach(http.ours, request, "a.pdf", pdf(), headers=key)
    assert (again.json, again.headers["Idempotent-Replayed"]) == (first.json, "true")
    assert attach(http.ours, request, "a.pdf", pdf(b"other"), headers=key).status_code == 422
    assert kept(http.sessions) == 1


def test_a_dry_run_looks_at_the_file_and_keeps_nothing(http: Callers) -> None:
    path = f"/requests/{made(http.sessions)}/attachments?dry_run=true"
    for content, status in ((pdf(), 200), (PNG, 422)):
        data = {"file": (io.BytesIO(content), "a.pdf")}
        assert http.ours.post(path, data=data, content_type="multipart/form-data").status_code == status
    assert kept(http.sessions) == 0


def test_at_the_console_a_file_is_attached_saved_and_removed(http: Callers, visit: Visitors) -> None:
    request = made(http.sessions)
    browser = visit("colleague", "zh")
    browser.get("/vms")
    form = {"file": (io.BytesIO(pdf()), "方案.pdf"), "next": "/vms"}
    page = browser.post(f"/requests/{request}/attachments", form, content_type="multipart/form-data")  # type: ignore[arg-type]
    assert (page.status, page.location) == (302, "/vms")
    assert "已上传“方案.pdf”" in browser.get("/vms").text("//*[@id='flashes']")
    ref = http.ours.get(f"/requests/{request}/attachments").json["items"][0]["id"]
    assert browser.client.get(f"/attachments/{ref}").data == pdf()
    assert visit("stranger").get(f"/attachments/{ref}").status == 404
    assert browser.post(f"/attachments/{ref}/remove").status == 302
    assert kept(http.sessions) == 0


def test_at_the_console_a_refusal_is_told_in_the_readers_language(http: Callers, visit: Visitors) -> None:
    request = made(http.sessions)
    browser = visit("colleague", "zh")
    browser.get("/vms")
    form = {"file": (io.BytesIO(svg("<script>1</script>")), "图.svg"), "next": "/vms"}
    browser.post(f"/requests/{request}/attachments", form, content_type="multipart/form-data")  # type: ignore[arg-type]
    told = browser.get("/vms").text("//*[@id='flashes']")
    assert "图.svg" in told and "<script>" in told and "打印" in told
    assert kept(http.sessions) == 0
