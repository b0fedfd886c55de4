"""What a department lets in to its machines: a part of its page, with the form for one more."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask_babel import gettext as _

from controlplane import lookups
from controlplane.errors import Invalid, LetInAlready, TooManyRules
from controlplane.paging import Listing
from controlplane.policy import allows
from controlplane.services import ingress as service
from controlplane.services.ingress import NewRule
from web import errors
from web.context import actor, session

PROTOCOLS = (("tcp", "TCP"), ("udp", "UDP"), ("icmp", "ICMP"), ("ipv6-icmp", "ICMPv6"))
_FIELDS = ("protocol", "ports", "source", "note")


def of(department: UUID, form: Mapping[str, str], problems: Mapping[str, str]) -> dict[str, Any] | None:
    """Return what the part shows: the rules, and the form as it was sent with what is wrong in it; None for who may not
    read them."""
    if not allows(actor(), "ingress.read"):
        return None
    asked = Listing(service.MOST_RULES, None, None, {"department": str(department)})
    return {
        "rules": lookups.ingress_rules(session(), actor(), asked).items,
        "may_write": allows(actor(), "ingress.write"),
        "protocols": PROTOCOLS,
        "protocol_words": dict(PROTOCOLS),
        "form": form,
        "problems": problems,
    }


def add(department: UUID, form: Mapping[str, str]) -> dict[str, str]:
    """Let in what a form says; return what is wrong with it, by field, where it cannot be."""
    protocol, ports, source, note = (form.get(name, "").strip() for name in _FIELDS)
    try:
        service.create(session(), actor(), NewRule(department, protocol, source, ports or None, note))
    except Invalid as refusal:
        session().rollback()
        return {refusal.values["field"]: _words(refusal.values["field"])}
    except (LetInAlready, TooManyRules) as refusal:
        session().rollback()
        return {"source": errors.message(refusal)}
    return {}


def _words(field: str) -> str:
    words = {
        "protocol": _("ICMP is of IPv4 and ICMPv6 of IPv6: choose the one that the source is of."),
        "ports": _("One port or a range of 1 to 65535, as in 443 or 8000-8080; none with ICMP."),
        "source": _("A network, as in 10.1.0.0/16; one address as 10.1.2.3/32."),
        "note": _("At most 200 characters."),
    }
    return str(words[field])
