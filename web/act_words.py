"""Names of what can be done and of what was done: of the policy's actions, and of the events of the trail."""

from flask_babel import gettext as _

from web import vpn_words
from web.words import action_word


def right_word(action: str) -> str:
    """Return the name of an action of the policy."""
    words = {
        "account.own": _("Keep the own account"),
        "catalogue.read": _("See sites, sizes, images and subnets"),
        "department.read": _("See departments"),
        "centre.read": _("See the figures of the centre"),
        "pool.read": _("See pools"),
        "drift.read": _("See drift"),
        "system.read": _("See business systems"),
        "ingress.read": _("See what departments let in"),
        "ingress.write": _("Say what departments let in"),
        "quota.read": _("See quota and usage"),
        "request.read": _("See requests"),
        "request.attach": _("Attach files to requests"),
        "register.write": _("Open and close the public register"),
        "request.ask": _("Make requests"),
        "request.comment": _("Comment on requests"),
        "request.decide": _("Decide on requests"),
        "routing.read": _("See who approves what"),
        "routing.write": _("Say who approves what"),
        "resource.read": _("See machines"),
        "resource.history": _("See the history of machines"),
        "catalogue.write": _("Change sites, sizes, images and subnets"),
        "department.write": _("Set up and close departments"),
        "quota.write": _("Set limits"),
        "pool.write": _("Set up and change pools"),
        "system.write": _("Register and change business systems"),
        "drift.decide": _("Decide on drift"),
        "resource.create": _("Ask for machines"),
        "resource.operate": _("Start, stop and reboot machines"),
        "resource.change": _("Resize and rebuild machines"),
        "resource.delete": _("Delete machines"),
        "vpn.person": _("See whose VPN accounts are"),
        "vpn.issue": _("Hand out passwords of VPN accounts"),
        "lease.write": _("Set leases and their policy"),
        "lease.keep": _("Answer for what seems unused"),
        "lease.hold": _("Put on legal hold, and lift it"),
        "user.read": _("See users"),
        "user.write": _("Make and change users"),
        "role.grant": _("Grant roles"),
        "session.read": _("See who is signed in"),
        "session.end": _("End sessions of others"),
        "token.read": _("See tokens of others"),
        "token.revoke": _("Revoke tokens of others"),
        "webhook.read": _("See webhooks"),
        "webhook.write": _("Set up webhooks"),
        "policy.read": _("See the policy"),
        "audit.read": _("Read the audit trail"),
        "audit.export": _("Take the audit trail out"),
    }
    return str(words.get(action, action))


def event_word(action: str) -> str:
    """Return what an event of the trail says was done, with what it was done to."""
    noun, _dot, _verb = action.partition(".")
    known = _of_accounts() | _of_requests() | _of_the_centre() | _of_what_is_shown() | vpn_words.group_events()
    if action in known:
        return known[action]
    done = action_word(action)
    return action if done == action else f"{kind_word(noun)}{_(': ')}{done}"


def kind_word(kind: str) -> str:
    """Return the name of what an act can be done to."""
    words = {
        "vm": _("Virtual machine"),
        "vpn_account": _("VPN account"),
        "vpn_group": _("VPN group"),
        "department": _("Department"),
        "system": _("Business system"),
        "user": _("User"),
        "token": _("Token"),
        "webhook": _("Webhook"),
        "pool": _("Pool"),
        "site": _("Site"),
        "flavor": _("Size"),
        "image": _("Image"),
        "subnet": _("Subnet"),
        "trail": _("Audit trail"),
        "centre": _("Centre"),
        "register": _("Public register"),
        "installation": _("Installation"),
        "request": _("Request"),
        "rule": _("Rule"),
        "ingress_rule": _("Ingress rule"),
    }
    return str(words.get(kind, kind))


def _of_accounts() -> dict[str, str]:
    return {
        "user.create": _("User made"),
        "user.update": _("User changed"),
        "user.disable": _("User disabled"),
        "user.enable": _("User enabled"),
        "user.remove": _("Leaver removed"),
        "user.reset_password": _("Password reset"),
        "user.reset_second_factor": _("Second factor reset"),
        "user.change_password": _("Own password changed"),
        "user.enrol_second_factor": _("Second factor set up"),
        "user.renew_recovery_codes": _("Recovery codes renewed"),
        "user.give_up_second_factor": _("Second factor given up"),
        "user.link": _("Identity linked"),
        "user.unlink": _("Identity unlinked"),
        "user.reseal": _("Second factors sealed anew"),
        "user.sign_in": _("Sign-in"),
        "user.sign_out": _("Sign-out"),
        "user.end_session": _("Session ended"),
        "token.create": _("Token made"),
        "token.revoke": _("Token revoked"),
        "audit.export": _("Audit trail taken out"),
        "user.set_address": _("Own e-mail address set"),
        "webhook.create": _("Webhook made"),
        "webhook.update": _("Webhook changed"),
        "webhook.rotate": _("Secret of a webhook replaced"),
        "webhook.delete": _("Webhook deleted"),
        "webhook.replay": _("Sent to a webhook once more"),
    }


def _of_what_is_shown() -> dict[str, str]:
    return {
        "request.attach": _("File attached to a request"),
        "request.detach": _("File removed from a request"),
        "request.link_progress": _("Progress link made"),
        "request.unlink_progress": _("Progress link withdrawn"),
        "register.update": _("Public register opened, closed or changed"),
        "ingress_rule.create": _("Ingress rule added"),
        "ingress_rule.delete": _("Ingress rule removed"),
    }


def _of_requests() -> dict[str, str]:
    return {
        "request.draft": _("Request drafted"),
        "request.amend": _("Request changed"),
        "request.submit": _("Request submitted"),
        "request.withdraw": _("Request withdrawn"),
        "request.comment": _("Request commented on"),
        "request.approve": _("Request approved"),
        "request.return": _("Request returned"),
        "request.refuse": _("Request refused"),
        "request.hand_over": _("Decision handed over"),
        "request.escalate": _("Request escalated"),
        "request.expire": _("Request expired"),
        "rule.create": _("Rule added"),
        "rule.update": _("Rule changed"),
        "rule.delete": _("Rule deleted"),
    }


def _of_the_centre() -> dict[str, str]:
    done = {"create": _("Registered"), "update": _("Changed"), "delete": _("Closed")}
    found = {
        f"{noun}.{verb}": f"{kind_word(noun)}{_(': ')}{word}"
        for noun in ("site", "flavor", "image", "subnet", "pool")
        for verb, word in done.items()
    }
    return (
        found
        | {"pool.match_catalogue": _("Images of a pool compared with the catalogue: changed")}
        | {"pool.set_capacity": _("Capacity of a pool set"), "pool.reseal": _("Secrets of a pool sealed anew")}
        | {"centre.load": _("Model centre loaded")}
        | {"centre.set_leases": _("Policy of leases set")}
    )
