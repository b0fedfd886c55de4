"""Handing out passwords on a page: who waits, what the form refuses, and a file that only its passphrase opens."""

import io
import zipfile
from uuid import uuid4

import pytest
import pyzipper
from werkzeug.test import TestResponse

from tests.callers import Callers
from tests.web.visitors import Page, Visitor, Visitors
from tests.web.vpn.scene import PASSPHRASE, opened

FORM = {"form": "csv", "passphrase": PASSPHRASE, "again": PASSPHRASE}


def issued(http: Callers) -> set[str]:
    accounts = http.admin.get("/vpn-accounts").json["items"]
    return {account["username"] for account in accounts if account["issued_at"]}


def opened_by(answer: TestResponse, name: str = "vpn-accounts.csv") -> bytes:
    """Return what is in a file that the passphrase opens."""
    assert answer.mimetype == "application/zip", answer.text
    with pyzipper.AESZipFile(io.BytesIO(answer.data)) as archive:
        archive.setpassword(PASSPHRASE.encode())
        return bytes(archive.read(name))


def hand_out(browser: Visitor, **more: str) -> Page:
    browser.get("/vpn-passwords")
    return browser.post("/vpn-passwords", {**FORM, **more})


def test_the_page_says_how_many_wait_and_for_which_departments(http: Callers, visit: Visitors) -> None:
    opened(http, 1, 2)
    http.theirs.post("/vpn-accounts", {"username": "zhao", "person": {"name": "赵", "number": "1"}})
    ours = visit("manager").get("/vpn-passwords")
    assert len(ours.texts("//aside//tbody/tr")) == 1 and "2" in ours.text("//aside//tbody/tr")
    admin = visit("admin").get("/vpn-passwords")
    assert admin.all("//aside//tbody//a/@href") == [
        "/vpn-passwords?department=environment",
        "/vpn-passwords?department=finance",
    ]
    assert visit("colleague").get("/vpn-passwords").status == 403


def test_those_without_a_password_get_one_in_a_file_that_the_passphrase_opens(http: Callers, visit: Visitors) -> None:
    opened(http, 1, 2)
    browser = visit("manager")
    browser.get("/vpn-passwords")
    answer = browser.client.post("/vpn-passwords", data={"csrf_token": browser.page.csrf, **FORM})
    assert (answer.status_code, answer.mimetype) == (200, "application/zip")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="vpn-accounts-environment.zip"')
    rows = opened_by(answer).decode("utf-8-sig").splitlines()
    assert len(rows) == 3 and "wang1" in rows[1]
    with pytest.raises(RuntimeError), zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        archive.read("vpn-accounts.csv")
    assert issued(http) == {"wang1", "wang2"}
    page = browser.get("/vpn-passwords")
    assert page.texts("//aside//*[@class='empty-head']") == ["Nobody waits"]


def test_slips_to_print_are_a_pdf_in_the_same_kind_of_file(http: Callers, visit: Visitors) -> None:
    opened(http, 1)
    browser = visit("manager", "zh")
    browser.get("/vpn-passwords")
    answer = browser.client.post("/vpn-passwords", data={"csrf_token": browser.page.csrf, **FORM, "form": "pdf"})
    assert opened_by(answer, "vpn-accounts.pdf").startswith(b"%PDF")


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"passphrase": "short", "again": "short"}, "passphrase"),
        ({"again": "something else altogether"}, "again"),
        ({"passphrase": "x" * 200, "again": "x" * 200}, "passphrase"),
        ({"department": "nowhere at all"}, "department"),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_no_passphrase_is_ever_said_again(
    http: Callers, visit: Visitors, more: dict[str, str], field: str
) -> None:
    opened(http, 1)
    browser = visit("admin")
    browser.get("/vpn-passwords")
    page = browser.post("/vpn-passwords", {**FORM, "department": "environment", **more})
    assert page.status == 422 and page.all(f"//*[@id='error-{field}']")
    assert PASSPHRASE not in page.answer.text and not page.all("//input[@type='password'][@value!='']")
    assert issued(http) == set()


def test_chosen_accounts_get_new_passwords_and_the_page_says_what_becomes_of_the_old(
    http: Callers, visit: Visitors
) -> None:
    refs = opened(http, 1, 2, 3)
    http.ours.post("/vpn-accounts/credentials", {"ids": [refs[0]], "passphrase": PASSPHRASE})
    browser = visit("manager")
    browser.get("/vpn-accounts")
    sent = {"csrf_token": browser.page.csrf, "id": refs[:2]}
    page = Page(browser.client.post("/vpn-passwords/chosen", data=sent))
    assert page.status == 200 and page.all("//main//form//input[@name='id']/@value") == refs[:2]
    assert "the old one lets nobody in any more" in page.text("//main")
    answer = browser.client.post("/vpn-passwords", data={**sent, **FORM})
    assert answer.mimetype == "application/zip"
    assert issued(http) == {"wang1", "wang2"}


def test_accounts_of_several_departments_are_not_put_in_one_file(http: Callers, visit: Visitors) -> None:
    refs = opened(http, 1)
    theirs = http.theirs.post("/vpn-accounts", {"username": "zhao", "person": {"name": "赵", "number": "1"}}).json
    refs.append(theirs["id"])
    browser = visit("admin")
    browser.get("/vpn-accounts")
    page = Page(browser.client.post("/vpn-passwords", data={"csrf_token": browser.page.csrf, "id": refs, **FORM}))
    assert page.status == 422 and "several departments" in page.text("//main")
    assert issued(http) == set()


def test_where_nobody_waits_nothing_is_done_and_the_page_says_so(http: Callers, visit: Visitors) -> None:
    page = hand_out(visit("manager"))
    assert page.status == 409 and "Nobody of this department waits" in page.text("//main")


def test_another_departments_accounts_get_no_password(http: Callers, visit: Visitors) -> None:
    [ref] = opened(http, 1)
    browser = visit("stranger")
    assert hand_out(browser, id=ref).status == 404
    assert hand_out(browser, id=str(uuid4())).status == 404
    assert browser.post("/vpn-passwords/chosen", {"id": ref}).status == 404
    assert issued(http) == set()


def test_the_answer_is_kept_for_no_repeat(http: Callers, visit: Visitors) -> None:
    opened(http, 1)
    browser = visit("manager")
    browser.get("/vpn-passwords")
    refused = browser.post("/vpn-passwords", FORM, headers={"Idempotency-Key": "a" * 20})
    assert refused.status == 422 and issued(http) == set()
