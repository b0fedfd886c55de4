"""Names of what people choose mail by, and of what becomes of deliveries."""

from flask_babel import gettext as _


def category_word(category: str) -> str:
    """Return the name of a category of events."""
    words = {
        "approvals": _("What waits for your decision"),
        "requests": _("What becomes of your requests"),
        "leases": _("Machines whose time ends"),
        "unused": _("Machines that seem not to be used"),
        "webhooks": _("Webhooks that fail"),
    }
    return str(words.get(category, category))


def delivery_word(state: str) -> str:
    """Return the name of a state of a delivery."""
    words = {
        "waiting": _("To go out"),
        "held": _("Held back"),
        "delivered": _("Delivered"),
        "failed": _("Given up"),
        "dropped": _("Dropped"),
    }
    return str(words.get(state, state))
