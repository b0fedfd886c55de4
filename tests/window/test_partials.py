"""The parts of a request's page that list its files and its link, as its page will include them."""

from flask import Flask, g, render_template
from lxml import html

from controlplane import binding, lookups
from controlplane.actor import Actor
from tests.callers import Callers
from tests.people import ADMIN, staff_of
from tests.window.records import filed, made
from web.console import attachments, progress


def shown(http: Callers, request: str, who: Actor) -> html.HtmlElement:
    """Return both parts as this reader gets them."""
    app: Flask = http.app
    with app.test_request_context(f"/requests/{request}"), http.sessions() as session:
        g.session, g.actor, g.trace, g.language = session, who, None, "zh"
        binding.unlock(session)
        asked = lookups.request_for(session, who, request)
        parts = (
            render_template("requests/_attachments.html", attached=attachments.box(asked)),
            render_template("requests/_progress_link.html", progress_link=progress.box(asked)),
        )
    return html.fromstring(f"<body>{''.join(parts)}</body>")


def colleague(http: Callers) -> Actor:
    with http.sessions() as session:
        return staff_of(session, lookups.department_for(session, ADMIN, "environment", "department.read")).colleague


def test_a_draft_lists_its_files_and_takes_more(http: Callers) -> None:
    request = made(http.sessions)
    file = filed(http.sessions, request, "方案.txt")
    page = shown(http, request, colleague(http))
    assert page.xpath("//section[@id='attachments']//a/@href") == [f"/attachments/{file}"]
    assert sorted(page.xpath("//form/@action")) == [
        f"/attachments/{file}/remove",
        f"/requests/{request}/attachments",
        f"/requests/{request}/progress-link",
    ]
    assert page.xpath("//form[@enctype='multipart/form-data']//input[@type='file']/@accept")[0].startswith(".pdf,.png")


def test_what_was_decided_takes_no_file_and_gives_none_up(http: Callers) -> None:
    request = made(http.sessions, state="done")
    filed(http.sessions, request)
    assert shown(http, request, colleague(http)).xpath("//section[@id='attachments']//form") == []


def test_a_link_is_shown_to_be_copied_renewed_and_withdrawn(http: Callers) -> None:
    request = made(http.sessions)
    url = http.ours.post(f"/requests/{request}/progress-link", {}).json["url"]
    page = shown(http, request, colleague(http))
    assert page.xpath("//section[@id='progress-link']//@data-copy") == [url]
    assert sorted(page.xpath("//section[@id='progress-link']//form/@action")) == [
        f"/requests/{request}/progress-link",
        f"/requests/{request}/progress-link/end",
    ]
    assert "<time" in html.tostring(page).decode()


def test_who_may_not_ask_gets_no_link(http: Callers) -> None:
    request = made(http.sessions)
    http.ours.post(f"/requests/{request}/progress-link", {})
    auditor = Actor(ADMIN.id, "Audit", "user", "audit_admin")
    assert shown(http, request, auditor).xpath("//section[@id='progress-link']") == []
