"""Files that are handed out with VPN accounts, in the words of whoever asks for them."""

from collections.abc import Sequence

from flask_babel import gettext as _

from controlplane.services.vpn_credentials import Issued
from controlplane.vpn_slips import Form, packed, slip


def credentials_file(issued: Sequence[Issued], form: Form, passphrase: str) -> bytes:
    """Return the file of what people are handed."""
    words = {
        "name": _("Person"),
        "number": _("Staff number"),
        "username": _("User name"),
        "password": _("Password"),
        "secret": _("Secret of the second factor"),
    }
    return packed([slip(words, one.values()) for one in issued], form, passphrase)
