"""Every way of saying no to somebody who comes through the identity provider."""

from controlplane.errors import Refusal


class ProviderAway(Refusal):
    """The identity provider does not answer now. Try again in a while, or sign in with user name and password."""

    code = "oidc.away"
    status = 503


class ProviderNotTrusted(Refusal):
    """What the identity provider answered cannot be trusted, so nobody is signed in. Tell an administrator."""

    code = "oidc.not_trusted"
    status = 403


class ProviderRefused(Refusal):
    """The identity provider did not let you in. Try again there, or ask whoever runs it."""

    code = "oidc.refused"
    status = 403


class SignInOver(Refusal):
    """This sign-in was begun in another browser, is too old, or was used already. Begin anew."""

    code = "oidc.over"
    status = 400


class NoRole(Refusal):
    """The identity provider gives you no role here. Ask the security administrator for one."""

    code = "oidc.no_role"
    status = 403


class TwoPowers(Refusal):
    """The identity provider gives you {roles}: nobody has two of the three administrator roles. Have it give you
    one."""

    code = "oidc.two_powers"
    status = 403


class SeveralRoles(Refusal):
    """The identity provider gives you {roles}: everybody has one role here, in one department. Have it give you
    one."""

    code = "oidc.several_roles"
    status = 403


class NoSuchDepartment(Refusal):
    """The identity provider puts you in department {department!r}, which is not one here. Ask an administrator."""

    code = "oidc.department"
    status = 403


class NoAccount(Refusal):
    """You have no account here yet. Ask the security administrator to prepare one for you."""

    code = "oidc.no_account"
    status = 403


class NameTaken(Refusal):
    """There is an account {name!r} already, and it is not linked with you. Ask the security administrator to link
    it."""

    code = "oidc.name_taken"
    status = 403


class NameUnusable(Refusal):
    """The identity provider calls you {name!r}, which cannot be a user name here. Ask an administrator."""

    code = "oidc.name_unusable"
    status = 403


class AccountDisabled(Refusal):
    """Your account here is disabled. Ask the security administrator."""

    code = "oidc.disabled"
    status = 403
