"""What a provider's word gives: one role, or a reason why not; and what must be set up before it is asked."""

from pathlib import Path
from typing import Any

import pytest

from controlplane.oidc.configuration import Configuration, Grant, Misconfigured, configuration, is_safe
from controlplane.oidc.refusals import NoRole, NoSuchDepartment, SeveralRoles, TwoPowers
from controlplane.oidc.vouched import granted, vouched
from tests.oidc.office import settings

ISSUER = "https://idp.example/realms/centre"


def known(**more: Any) -> Configuration:
    found = configuration(settings(ISSUER, **more))
    assert found
    return found


@pytest.mark.parametrize(
    ("groups", "department", "given"),
    [
        (["cloud"], None, Grant("system_admin")),
        ("audit", None, Grant("audit_admin")),
        (["unknown", "eyes", "eyes"], None, Grant("auditor")),
        (["heads"], "finance", Grant("department_manager", "environment")),
        (["staff"], "finance", Grant("department_member", "finance")),
        (["staff"], ["finance"], Grant("department_member", "finance")),
    ],
)
def test_a_word_gives_the_role_that_the_table_says(groups: object, department: object, given: Grant) -> None:
    assert granted(known(), {"sub": "u", "groups": groups, "department": department}) == given


@pytest.mark.parametrize(
    ("groups", "department", "refusal"),
    [
        ([], None, NoRole),
        (None, None, NoRole),
        (["CLOUD", "cloud "], None, NoRole),
        ({"cloud": True}, None, NoRole),
        ([["cloud"], 7, None], None, NoRole),
        (["cloud", "security"], None, TwoPowers),
        (["cloud", "audit", "eyes"], None, TwoPowers),
        (["security", "audit"], None, TwoPowers),
        (["cloud", "ops"], None, SeveralRoles),
        (["eyes", "ops"], None, SeveralRoles),
        (["heads", "staff"], "environment", SeveralRoles),
        (["staff"], None, NoSuchDepartment),
        (["staff"], ["environment", "finance"], NoSuchDepartment),
    ],
)
def test_a_word_that_gives_not_just_one_role_in_one_department_gives_none(
    groups: object, department: object, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        granted(known(), {"sub": "u", "groups": groups, "department": department})


def test_a_role_of_two_departments_is_none() -> None:
    heads = known(oidc_roles="a=department_manager@environment; b=department_manager@finance")
    with pytest.raises(SeveralRoles, match=r"environment.*finance"):
        granted(heads, {"sub": "u", "groups": ["a", "b"]})


def test_dots_lead_into_claims_and_names_of_directories_are_values() -> None:
    deep = known(oidc_roles_claim="realm.roles", oidc_roles="cn=ops,ou=groups=operator\ncn=audit,ou=x=audit_admin;")
    assert granted(deep, {"sub": "u", "realm": {"roles": ["cn=ops,ou=groups"]}}) == Grant("operator")
    assert granted(deep, {"sub": "u", "realm.roles": ["cn=audit,ou=x"]}) == Grant("audit_admin")
    with pytest.raises(NoRole):
        granted(deep, {"sub": "u", "realm": ["cn=ops,ou=groups"]})


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        ({"amr": ["pwd", "otp"]}, True),
        ({"acr": "urn:loa:3"}, True),
        ({"amr": ["pwd"], "acr": "0"}, False),
        ({"amr": "otp"}, True),
        ({"groups": ["otp"]}, False),
        ({}, False),
    ],
)
def test_a_second_factor_counts_where_amr_or_acr_says_what_the_setting_lists(
    said: dict[str, Any], counts: bool
) -> None:
    assert vouched(known(oidc_mfa="otp, urn:loa:3"), {"sub": "u", **said}).second_factor is counts
    assert vouched(known(), {"sub": "u", **said}).second_factor is False


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"oidc_client_id": None}, "STEPPE_OIDC_CLIENT_ID is not set"),
        ({"oidc_issuer": None}, "STEPPE_OIDC_ISSUER is not set"),
        ({"oidc_roles": ""}, "STEPPE_OIDC_ROLES is not set"),
        ({"oidc_client_secret": None}, "neither STEPPE_OIDC_CLIENT_SECRET nor STEPPE_OIDC_CLIENT_SECRET_FILE is set"),
        ({"oidc_client_secret_file": Path("/nowhere")}, "there is no file /nowhere"),
        ({"oidc_ca_file": Path("/nowhere")}, "there is no file /nowhere"),
        ({"oidc_issuer": "http://idp.example"}, "must be an https:// address"),
        ({"oidc_issuer": "https://"}, "must be an https:// address"),
        ({"oidc_issuer": "https://idp.example/?a=b"}, "no query"),
        ({"oidc_roles": "cloud"}, "is not VALUE=ROLE"),
        ({"oidc_roles": "cloud=root"}, "is not VALUE=ROLE"),
        ({"oidc_roles": "cloud=system_admin; cloud=audit_admin"}, "is given twice"),
        ({"oidc_roles": "cloud=system_admin@finance"}, "is of no department"),
        ({"oidc_roles": "x=department_member", "oidc_department_claim": None}, "needs @DEPARTMENT"),
    ],
)
def test_what_is_set_up_in_part_or_wrongly_is_told(more: dict[str, Any], named: str) -> None:
    with pytest.raises(Misconfigured) as wrong:
        configuration(settings(ISSUER, **more))
    assert named in str(wrong.value)


def test_the_secret_is_read_from_its_file_and_shown_nowhere(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("of-the-file\n")
    found = known(oidc_client_secret=None, oidc_client_secret_file=file)
    assert found.client_secret == "of-the-file"
    assert "of-the-file" not in repr(found)


def test_without_any_setting_there_is_no_provider() -> None:
    nothing = {"oidc_client_id": None, "oidc_client_secret": None, "oidc_roles": ""}
    assert configuration(settings("", **nothing)) is None


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://idp.example", True),
        ("http://127.0.0.1:8000", True),
        ("http://[::1]/x", True),
        ("http://localhost:1", True),
        ("http://localhost.example", False),
        ("http://127.0.0.1.example", False),
        ("http://10.0.0.1", False),
        ("ftp://127.0.0.1", False),
        ("https://[", False),
        (None, False),
    ],
)
def test_only_what_nobody_can_read_on_the_way_is_safe(url: object, safe: bool) -> None:
    assert is_safe(url) is safe
