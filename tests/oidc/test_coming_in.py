"""Coming in through a real identity provider, which the tests start."""

import pytest
from sqlalchemy import select

from controlplane.accounts import Identity
from controlplane.db import transaction
from controlplane.models import User
from controlplane.services import leavers, users
from controlplane.services.users import NewUser
from tests.accounts import person
from tests.oidc.conftest import Opens
from tests.oidc.office import Office, arrive, asked, begin, come
from tests.oidc.real import RealProvider
from tests.people import OPERATOR


def prepared(office: Office, username: str, login: str | None = None, role: str = "auditor") -> None:
    """Prepare an account for whoever has this user name at the provider."""
    with transaction(office.http.sessions) as session:
        identity = Identity(office.issuer, login=login or username)
        new = NewUser(username, username.title(), role, identity=identity)  # type: ignore[arg-type]
        users.create(session, OPERATOR, new)


def test_somebody_an_administrator_prepared_comes_in_and_is_known_by_the_subject_from_then_on(
    office: Opens, real: RealProvider
) -> None:
    here = office(real.issuer)
    prepared(here, "wang")
    real.knows("u-1", "wang", ["eyes", "unknown-here"])
    browser = here.browser()
    url = begin(browser, "/vms?state=running")
    sent = asked(url)
    assert (
        sent["code_challenge_method"] == "S256"
        and sent["response_type"] == "code"
        and sent["scope"] == "openid profile"
    )
    assert arrive(browser, real.sign_in(url, "u-1")).location == "/vms?state=running"
    assert browser.get("/vms").status == 200
    user = here.user("wang")
    assert user and (user.identity_subject, user.identity_login, user.password_hash) == ("u-1", None, None)
    assert here.events() == [("success", {"address": "127.0.0.1", "with": "oidc", "issuer": real.issuer})]
    assert [outcome for outcome, _ in here.events("user.link")] == ["success"]
    real.knows("u-1", "another-name", ["eyes"])
    real.knows("u-2", "wang", ["eyes"])
    assert come(here.browser(), real, "u-1").status == 302
    assert come(here.browser(), real, "u-2").status == 403
    assert here.refusals() == ["oidc.no_account"]


def test_with_provisioning_whoever_has_a_role_gets_an_account_with_it(office: Opens, real: RealProvider) -> None:
    here = office(real.issuer, oidc_provision=True)
    real.knows("u-1", "li", ["heads"])
    real.knows("u-2", "zhao", ["staff"], department="finance")
    for subject in ("u-1", "u-2"):
        assert come(here.browser(), real, subject).status == 302
    with transaction(here.http.sessions) as session:
        made = session.scalars(select(User).where(User.username.in_(["li", "zhao"])).order_by(User.username)).all()
        assert [(u.role, u.department.code if u.department else None) for u in made] == [
            ("department_manager", "environment"),
            ("department_member", "finance"),
        ]
    assert [details["subject"] for _, details in here.events("user.create") if "subject" in details] == ["u-1", "u-2"]


def test_without_provisioning_somebody_unknown_stays_out(office: Opens, real: RealProvider) -> None:
    here = office(real.issuer)
    real.knows("u-1", "wang", ["eyes"])
    refused = come(here.browser(), real, "u-1")
    assert refused.status == 403
    assert "no account here yet" in refused.text("//*[@role='alert']")
    assert here.user("wang") is None
    assert here.events() == [
        (
            "failure",
            {
                **{"address": "127.0.0.1", "with": "oidc", "issuer": real.issuer, "refused": "oidc.no_account"},
                **{"subject": "u-1", "login": "wang"},
            },
        )
    ]


@pytest.mark.parametrize("provision", [True, False])
def test_no_name_at_the_provider_takes_a_local_account_over(office: Opens, real: RealProvider, provision: bool) -> None:
    here = office(real.issuer, oidc_provision=provision)
    with transaction(here.http.sessions) as session:
        known = person(session, NewUser("boss", "Boss", "auditor"))
    real.knows("u-1", "boss", ["eyes"])
    assert come(here.browser(), real, "u-1").status == 403
    user = here.user("boss")
    assert user and user.identity_issuer is None and user.password_hash
    assert here.refusals() == ["oidc.name_taken" if provision else "oidc.no_account"]
    assert here.browser().enter("boss", known.password).status == 302


def test_a_claim_of_two_administrator_roles_is_refused_and_said(office: Opens, real: RealProvider) -> None:
    here = office(real.issuer, oidc_provision=True)
    real.knows("u-1", "greedy", ["cloud", "audit"])
    refused = come(here.browser(), real, "u-1")
    assert refused.status == 403
    said = refused.text("//*[@role='alert']")
    assert "two of the three administrator roles" in said and "System administrator" in said
    assert here.user("greedy") is None
    [(outcome, details)] = here.events()
    assert (outcome, details["refused"], details["roles"]) == (
        "failure",
        "oidc.two_powers",
        "audit_admin, system_admin",
    )


def test_who_has_one_power_already_is_not_given_a_second_beside_it(office: Opens, real: RealProvider) -> None:
    here = office(real.issuer, oidc_provision=True, oidc_mfa="mfa")
    real.knows("u-1", "li", ["cloud"], amr=["mfa"])
    assert come(here.browser(), real, "u-1").status == 302
    real.knows("u-1", "li", ["cloud", "security"], amr=["mfa"])
    assert come(here.browser(), real, "u-1").status == 403
    real.knows("u-1", "li", ["security"], amr=["mfa"])
    assert come(here.browser(), real, "u-1").status == 302
    user = here.user("li")
    assert user and user.role == "security_admin"


def test_who_is_given_no_role_or_several_stays_out(office: Opens, real: RealProvider) -> None:
    here = office(real.issuer, oidc_provision=True)
    for groups in (["nothing-here"], ["eyes", "ops"], ["staff"]):
        real.knows("u-1", "wang", groups, department="no-such-department")
        assert come(here.browser(), real, "u-1").status == 403
    assert here.user("wang") is None
    assert here.refusals() == ["oidc.no_role", "oidc.several_roles", "oidc.department"]


def test_another_role_at_the_provider_ends_the_other_sessions_and_is_said(office: Opens, real: RealProvider) -> None:
    here = office(real.issuer, oidc_provision=True)
    real.knows("u-1", "wang", ["eyes"])
    first, second = here.browser(), here.browser()
    come(first, real, "u-1")
    come(second, real, "u-1")
    assert first.get("/").status == second.get("/").status == 200
    real.knows("u-1", "wang", ["ops"])
    third = here.browser()
    assert come(third, real, "u-1").status == 302
    assert [b.get("/").status for b in (first, second, third)] == [302, 302, 200]
    user = here.user("wang")
    assert user and user.role == "operator"
    [(_, details)] = here.events("user.update")
    assert (details["before"]["role"], details["after"]["role"]) == ("auditor", "operator")
    assert (details["with"], details["sessions_ended"]) == ("oidc", 2)


def test_the_last_security_administrator_is_not_taken_away_by_a_claim(office: Opens, real: RealProvider) -> None:
    here = office(real.issuer, oidc_mfa="mfa")
    prepared(here, "sun", role="security_admin")
    real.knows("u-1", "sun", ["eyes"], amr=["mfa"])
    assert come(here.browser(), real, "u-1").status == 409
    assert here.refusals() == ["account.last"]
    user = here.user("sun")
    assert user and user.role == "security_admin"


def test_a_disabled_user_and_one_who_left_stay_out(office: Opens, real: RealProvider) -> None:
    here = office(real.issuer, oidc_provision=True)
    real.knows("u-1", "wang", ["eyes"])
    inside = here.browser()
    come(inside, real, "u-1")
    with transaction(here.http.sessions) as session:
        leavers.disable(session, OPERATOR, "wang")
    assert inside.get("/").status == 302
    refused = come(here.browser(), real, "u-1")
    assert refused.status == 403 and "disabled" in refused.text("//*[@role='alert']")
    with transaction(here.http.sessions) as session:
        leavers.remove_leaver(session, OPERATOR, "wang")
    assert come(here.browser(), real, "u-1").status == 403
    assert here.refusals() == ["oidc.disabled"] * 2


def test_an_administrator_needs_a_second_factor_which_the_provider_may_have_seen(
    office: Opens, real: RealProvider
) -> None:
    here = office(real.issuer, oidc_provision=True, oidc_mfa="mfa, urn:example:loa3")
    ways = {"u-1": {"amr": ["pwd"]}, "u-2": {"amr": ["pwd", "mfa"]}, "u-3": {"acr": "urn:example:loa3"}}
    for subject, how in ways.items():
        real.knows(subject, subject, ["cloud"], **how)
    without, by_amr, by_acr = here.browser(), here.browser(), here.browser()
    come(without, real, "u-1")
    assert without.get("/").location == "/account/second-factor"
    for subject, browser in (("u-2", by_amr), ("u-3", by_acr)):
        assert come(browser, real, subject).status == 302
        assert browser.get("/").status == 200
    assert [details.get("second_factor") for _, details in here.events()] == [None, "oidc", "oidc"]


def test_what_the_provider_says_of_a_second_factor_counts_only_where_a_setting_says_so(
    office: Opens, real: RealProvider
) -> None:
    here = office(real.issuer, oidc_provision=True)
    real.knows("u-1", "li", ["cloud"], amr=["mfa"], acr="mfa")
    browser = here.browser()
    come(browser, real, "u-1")
    assert browser.get("/").location == "/account/second-factor"


def test_steppes_own_second_factor_is_asked_and_no_sign_in_there_gives_more_guesses(
    office: Opens, real: RealProvider
) -> None:
    here = office(real.issuer, lock_after=3)
    with transaction(here.http.sessions) as session:
        known = person(session, NewUser("chief", "Chief", "system_admin"), here.http.app.config["ENTRANCE"].keys)
        users.link(session, OPERATOR, "chief", Identity(here.issuer, subject="u-1"))
    real.knows("u-1", "somebody", ["cloud"])
    statuses = []
    for _ in range(4):
        browser = here.browser()
        come(browser, real, "u-1")
        browser.get("/second-factor")
        statuses.append(browser.post("/second-factor", {"code": "000000"}).status)
    assert statuses == [401, 401, 401, 429]
    with transaction(here.http.sessions) as session:
        users.reset_password(session, OPERATOR, here.http.app.config["ENTRANCE"], "chief")
    browser = here.browser()
    come(browser, real, "u-1", "/vms")
    assert browser.get("/").location == "/second-factor"
    browser.get("/second-factor")
    assert browser.post("/second-factor", {"code": known.codes.pop()}).location == "/vms"
    assert here.events()[-1] == (
        "success",
        {"address": "127.0.0.1", "with": "recovery_code", "issuer": real.issuer},
    )


def test_rules_of_passwords_do_not_reach_who_comes_without_one(office: Opens, real: RealProvider) -> None:
    here = office(real.issuer, oidc_provision=True)
    with transaction(here.http.sessions) as session:
        _, first = users.create(session, OPERATOR, NewUser("boss", "Boss", "auditor"))
        users.link(session, OPERATOR, "boss", Identity(here.issuer, subject="u-2"))
    for subject in ("u-1", "u-2"):
        real.knows(subject, f"of-{subject}", ["eyes"])
        browser = here.browser()
        come(browser, real, subject)
        assert browser.get("/").status == 200
        assert len(browser.get("/account").all("//a[@href='/account/password']")) == (subject == "u-2")
    assert first and here.browser().enter("of-u-1", "").status == 401
    by_password = here.browser()
    by_password.enter("boss", first)
    assert by_password.get("/").location == "/account/password"


def test_networks_and_sessions_at_once_are_as_for_others(office: Opens, real: RealProvider) -> None:
    here = office(real.issuer, oidc_provision=True, sessions_at_once=1)
    real.knows("u-1", "wang", ["eyes"])
    first, second = here.browser(), here.browser()
    come(first, real, "u-1")
    come(second, real, "u-1")
    assert (first.get("/").status, second.get("/").status) == (302, 200)
    assert [s.end_reason for s in here.sign_ins("wang")] == ["superseded", None]
    assert here.http.security.patch("/users/wang", {"networks": ["192.0.2.0/24"]}).status_code == 200
    assert come(here.browser(), real, "u-1").status == 403
    assert here.refusals() == ["account.network"]


def test_signing_out_ends_the_session_and_offers_to_do_so_at_the_provider(office: Opens, real: RealProvider) -> None:
    here = office(real.issuer, oidc_provision=True)
    real.knows("u-1", "wang", ["eyes"])
    browser = here.browser()
    come(browser, real, "u-1")
    browser.get("/")
    out = browser.post("/sign-out")
    assert out.location == "/sign-in?out=1"
    assert browser.get("/").location.startswith("/sign-in")
    assert browser.get(out.location).all("//a[@href='/sign-in/oidc/out']")
    there = browser.get("/sign-in/oidc/out").location
    assert there.startswith(f"{real.issuer}/session/end?")
    assert asked(there)["post_logout_redirect_uri"] == "http://localhost/sign-in"


def test_claims_that_the_provider_keeps_for_its_userinfo_are_fetched_there(office: Opens, real: RealProvider) -> None:
    here = office(real.issuer, oidc_provision=True)
    real.says(inUserinfo=True)
    real.knows("u-1", "wang", ["eyes"])
    assert come(here.browser(), real, "u-1").status == 302
    user = here.user("wang")
    assert user and user.role == "auditor"


def test_keys_that_the_provider_changed_are_fetched_anew(office: Opens, real: RealProvider) -> None:
    here = office(real.issuer, oidc_provision=True)
    real.knows("u-1", "wang", ["eyes"])
    assert come(here.browser(), real, "u-1").status == 302
    real.says(keys=2)
    assert come(here.browser(), real, "u-1").status == 302


def test_an_answer_that_was_used_is_good_for_nobody_else(office: Opens, real: RealProvider) -> None:
    here = office(real.issuer, oidc_provision=True)
    real.knows("u-1", "wang", ["eyes"])
    browser = here.browser()
    back = real.sign_in(begin(browser), "u-1")
    before = browser.client.get_cookie("steppe")
    assert before and arrive(browser, back).status == 302
    assert arrive(here.browser(), back).status == 400
    assert arrive(browser, back).status == 400
    browser.client.set_cookie("steppe", before.value)
    assert arrive(browser, back).status == 400
    assert here.refusals() == ["oidc.over"] * 3


def test_an_answer_to_an_attempt_of_another_browser_is_refused(office: Opens, real: RealProvider) -> None:
    here = office(real.issuer, oidc_provision=True)
    real.knows("u-1", "attacker", ["eyes"])
    mine, victim = here.browser(), here.browser()
    back = real.sign_in(begin(mine), "u-1")
    begin(victim)
    assert arrive(victim, back).status == 400
    assert victim.get("/").location.startswith("/sign-in")
    assert here.refusals() == ["oidc.over"]


def test_nothing_of_the_session_before_is_left_after_coming_in(office: Opens, real: RealProvider) -> None:
    here = office(real.issuer, oidc_provision=True)
    real.knows("u-1", "wang", ["eyes"])
    browser = here.browser()
    csrf = browser.page.csrf
    come(browser, real, "u-1")
    assert browser.client.post("/sign-out", data={"csrf_token": csrf}).status_code == 400
    assert browser.get("/").status == 200


def test_coming_in_leads_nowhere_else(office: Opens, real: RealProvider) -> None:
    here = office(real.issuer, oidc_provision=True)
    real.knows("u-1", "wang", ["eyes"])
    for target in ("//evil.example", "https://evil.example/", "/\\evil.example", "/vms?q=" + "x" * 4000):
        assert come(here.browser(), real, "u-1", target).location == "/"


def test_who_is_refused_at_the_provider_is_told_so(office: Opens, real: RealProvider) -> None:
    here = office(real.issuer)
    assert come(here.browser(), real, "nobody").status == 403
    assert here.refusals() == ["oidc.refused"]


def test_a_name_that_is_none_here_makes_no_account(office: Opens, real: RealProvider) -> None:
    here = office(real.issuer, oidc_provision=True)
    names = ["Wang Fang", "wang@example.cn", "-wang", "w" * 64, ""]
    for name in names:
        real.knows("u-1", name or None, ["eyes"], **({} if name else {"preferred_username": 7}))
        assert come(here.browser(), real, "u-1").status == 403
    assert here.refusals() == ["oidc.name_unusable"] * len(names)
