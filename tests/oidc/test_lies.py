"""What no real provider can be made to do: lies, other people's tokens, silence."""

import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import RSAKey
from structlog.testing import capture_logs

from controlplane.db import transaction
from controlplane.entrance import Places
from controlplane.errors import SignInBusy
from controlplane.oidc.configuration import configuration
from controlplane.oidc.provider import Provider
from controlplane.oidc.refusals import ProviderAway, ProviderNotTrusted, SignInOver
from controlplane.services.users import NewUser
from tests.accounts import person
from tests.oidc.conftest import Opens
from tests.oidc.double import Double
from tests.oidc.office import BACK, SECRET, Office, arrive, asked, begin, settings
from tests.web.visitors import Page, Visitor
from web.app import create_app

Lie = Callable[[Double], Any]
STRANGER = RSAKey.generate_key(2048, {"kid": "first"})


def back_from(double: Double, browser: Visitor, lie: Lie | None = None, **more: str) -> Page:
    """Come back from a provider that lies, in the claims it vouches for or in how it signs them."""
    sent = asked(begin(browser))
    double.says_of(sent["nonce"])
    if lie:
        lie(double)
    parameters = {"code": "c", "state": sent["state"], **more}
    return arrive(browser, f"{BACK}?" + "&".join(f"{name}={value}" for name, value in parameters.items()))


def claims(**other: Any) -> Lie:
    return lambda double: double.claims.update(other)


def signs(by: Callable[[Double, dict[str, Any]], str]) -> Lie:
    return lambda double: setattr(double, "signed_by", lambda said: by(double, said))


def tampered(double: Double, said: dict[str, Any]) -> str:
    head, _, signature = double.signed(said).split(".")
    _, body, _ = double.signed({**said, "groups": ["cloud"]}).split(".")
    return f"{head}.{body}.{signature}"


def without(name: str) -> Lie:
    return lambda double: double.claims.pop(name)


# What is told, and what is seen to be wrong with it: else one lie might be refused for another reason.
LIES: dict[str, tuple[Lie, str]] = {
    "another nonce": (claims(nonce="of another attempt"), "'nonce'"),
    "no nonce": (without("nonce"), "'nonce'"),
    "another issuer": (claims(iss="http://127.0.0.1:1"), "'iss'"),
    "another audience": (claims(aud="another-client"), "'aud'"),
    "two audiences and no azp": (claims(aud=["steppe", "another-client"]), "'azp'"),
    "another azp": (claims(aud=["steppe", "another-client"], azp="another-client"), "'azp'"),
    "other audiences with our azp": (claims(aud=["another-client", "third"], azp="steppe"), "'aud'"),
    "over": (claims(exp=int(datetime.now(UTC).timestamp()) - 3600), "ExpiredTokenError"),
    "no end": (without("exp"), "'exp'"),
    "no time": (without("iat"), "'iat'"),
    "of tomorrow": (claims(iat=int(datetime.now(UTC).timestamp()) + 86_400), "was issued"),
    "no subject": (without("sub"), "'sub'"),
    "an empty subject": (claims(sub=""), "'sub'"),
    "a subject that is no text": (claims(sub=7), "'sub'"),
    "of another access token": (claims(at_hash="AAAAAAAAAAAAAAAAAAAAAA"), "'at_hash'"),
    "amr that is no list": (claims(amr="mfa"), "'amr'"),
    "tampered with": (signs(tampered), "BadSignatureError"),
    "of another key": (signs(lambda double, said: double.signed(said, key=STRANGER)), "BadSignatureError"),
    "of an unknown key": (signs(lambda double, said: double.signed(said, {"kid": "unknown"})), "InvalidKeyIdError"),
    "unsigned": (signs(lambda double, said: double.signed(said, {"alg": "none"})), "'none' is not allowed"),
    "signed with the secret": (
        signs(lambda double, said: double.signed_with(SECRET.encode(), said)),
        "'HS256' is not allowed",
    ),
    "signed with the public key": (
        signs(lambda double, said: double.signed_with(double.keys[0].as_pem(private=False), said)),
        "'HS256' is not allowed",
    ),
    "no token at all": (lambda double: double.token.update(id_token=None), "Error"),
    "garbage": (lambda double: double.token.update(id_token="a.b.c"), "Error"),
}


@pytest.fixture
def here(office: Opens, double: Double) -> Office:
    return office(double.issuer, oidc_provision=True)


def test_one_that_tells_the_truth_is_believed(here: Office, double: Double) -> None:
    assert back_from(double, here.browser()).status == 302
    assert double.form["code_verifier"] and double.form["redirect_uri"] == BACK
    assert here.refusals() == []


def test_the_button_has_its_label_and_browsers_come_back_to_the_public_address(office: Opens, double: Double) -> None:
    here = office(double.issuer, public_url="https://cloud.example", oidc_label="政务钉钉")
    assert here.browser().get("/sign-in").texts("//a[contains(@href, '/sign-in/oidc')]") == ["政务钉钉"]
    assert asked(begin(here.browser()))["redirect_uri"] == "https://cloud.example/sign-in/oidc/back"


@pytest.mark.parametrize("lie", LIES)
def test_no_lie_is_believed(double: Double, lie: str) -> None:
    told, seen = LIES[lie]
    with capture_logs() as logs, pytest.raises(ProviderNotTrusted):
        finished(made(double), double, told)
    assert [entry["reason"] for entry in logs if seen in entry["reason"]], logs


def test_whoever_comes_with_a_lie_stays_out_and_is_told_so(here: Office, double: Double) -> None:
    browser = here.browser()
    refused = back_from(double, browser, signs(tampered))
    assert refused.status == 403
    assert "cannot be trusted" in refused.text("//*[@role='alert']")
    assert browser.get("/").location.startswith("/sign-in")
    assert here.user("wang") is None
    assert here.refusals() == ["oidc.not_trusted"]


@pytest.mark.parametrize("state", ["guessed", "", "\u00e9"])
def test_a_state_that_is_not_the_browsers_is_refused_before_the_provider_is_asked(double: Double, state: str) -> None:
    with pytest.raises(SignInOver):
        finished(made(double), double, state=state)
    assert "/token" not in double.asked


def test_an_attempt_is_good_for_ten_minutes(double: Double) -> None:
    with pytest.raises(SignInOver):
        finished(made(double), double, later=timedelta(minutes=10, seconds=2))
    assert finished(made(double), double, later=timedelta(minutes=1))["sub"] == "u-1"


@pytest.mark.parametrize("iss", [{"iss": "http://127.0.0.1:1"}, {}])
def test_an_answer_of_another_issuer_is_refused(double: Double, iss: dict[str, str]) -> None:
    double.metadata["authorization_response_iss_parameter_supported"] = True
    with pytest.raises(ProviderNotTrusted):
        finished(made(double), double, **iss)
    assert "/token" not in double.asked
    assert finished(made(double), double, iss=double.issuer)["sub"] == "u-1"


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "http://127.0.0.1:1"},
        {"token_endpoint": "http://idp.example/token"},
        {"jwks_uri": None},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
)
def test_a_discovery_document_that_leads_elsewhere_is_not_believed(double: Double, metadata: dict[str, Any]) -> None:
    double.metadata = metadata
    with pytest.raises(ProviderNotTrusted):
        made(double).begin(BACK, datetime.now(UTC))


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/keys", "/token", "/userinfo"])
def test_no_redirect_of_the_provider_is_followed(double: Double, path: str) -> None:
    double.redirects[path] = f"{double.issuer}/elsewhere"
    with pytest.raises(ProviderNotTrusted):
        finished(made(double), double, without("groups"))
    assert "/elsewhere" not in double.asked and path in double.asked


def test_userinfo_of_somebody_else_is_refused_and_cannot_say_how_somebody_signed_in(
    office: Opens, double: Double
) -> None:
    here = office(double.issuer, oidc_provision=True, oidc_mfa="mfa")
    double.userinfo = {"sub": "u-2", "groups": ["cloud"], "amr": ["mfa"]}
    assert back_from(double, here.browser(), without("groups")).status == 403
    double.userinfo["sub"] = "u-1"
    browser = here.browser()
    assert back_from(double, browser, without("groups")).status == 302
    assert browser.get("/").location == "/account/second-factor"


def test_keys_are_fetched_anew_once_where_one_is_unknown_and_after_an_hour(double: Double) -> None:
    hour = [0.0]
    provider = made(double, clock=lambda: hour[0])

    def come() -> None:
        finished(provider, double)

    come()
    come()
    assert (double.asked.count("/keys"), double.asked.count("/.well-known/openid-configuration")) == (1, 1)
    double.keys = [RSAKey.generate_key(2048, {"kid": "second", "use": "sig"})]
    double.signed_by = lambda said: double.signed(said, {"kid": "second"})
    come()
    assert double.asked.count("/keys") == 2
    double.signed_by = lambda said: double.signed(said, {"kid": "third"})
    with pytest.raises(ProviderNotTrusted):
        come()
    assert double.asked.count("/keys") == 3
    double.signed_by = lambda said: double.signed(said, {"kid": "second"})
    hour[0] = 3601.0
    come()
    assert (double.asked.count("/keys"), double.asked.count("/.well-known/openid-configuration")) == (4, 2)


def test_a_provider_that_is_away_is_said_and_passwords_go_on(office: Opens, double: Double) -> None:
    here = office(double.issuer, oidc_provision=True)
    with transaction(here.http.sessions) as session:
        known = person(session, NewUser("boss", "Boss", "auditor"))
    browser, under_way = here.browser(), here.browser()
    sent = asked(begin(under_way))
    double.close()
    left = arrive(under_way, f"{BACK}?code=c&state={sent['state']}")
    away = here.browser("zh")
    cold = Visitor(create_app(here.installation).test_client()).speak("en").get("/sign-in/oidc")
    for page in (left, cold):
        assert page.status == 503 and page.answer.headers["Retry-After"]
        assert "does not answer" in page.text("//*[@role='alert']")
        assert page.all("//input[@name='password']")
    assert away.get("/sign-in").status == 200
    assert here.refusals() == ["oidc.away"] * 2
    assert browser.enter("boss", known.password).status == 302


def test_a_provider_that_hangs_is_given_up_and_holds_few_threads(double: Double) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        known = configuration(settings(f"http://127.0.0.1:{silent.getsockname()[1]}"))
        assert known
        with pytest.raises(ProviderAway):
            Provider(known, Places(4), seconds=(0.2, 0.2)).look()
    places = Places(2)
    with places.one(), pytest.raises(SignInBusy):
        made(double, places=places).begin(BACK, datetime.now(UTC))


def test_a_provider_is_known_by_its_certificate(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    with Double(certificate=bundle) as double:
        for ca_file in (None, bundle):
            known = configuration(settings(double.issuer, oidc_ca_file=ca_file))
            assert known and double.issuer.startswith("https://")
            if ca_file:
                Provider(known, Places(4)).look()
            else:
                with pytest.raises(ProviderAway):
                    Provider(known, Places(4)).look()


def finished(
    provider: Provider, double: Double, lie: Lie | None = None, later: timedelta = timedelta(), **more: str
) -> Any:
    """Begin, and come back with what the double says; return the claims."""
    now = datetime.now(UTC)
    _, attempt = provider.begin(BACK, now - later)
    double.says_of(attempt.nonce)
    if lie:
        lie(double)
    return provider.finish(attempt, {"code": "c", "state": attempt.state, **more}, BACK, now)


def made(double: Double, places: Places | None = None, **more: Any) -> Provider:
    known = configuration(settings(double.issuer))
    assert known
    return Provider(known, places or Places(4), **more)
