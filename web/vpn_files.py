"""Files that are handed out with VPN accounts, in the words of whoever asks for them."""

from collections.abc import Sequence

from flask_babel import gettext as _

from controlplane.services.vpn_credentials import Issued
from controlplane.vpn_slips import Form, Slip, packed


def credentials_file(issued: Sequence[Issued], form: Form, passphrase: str) -> bytes:
    """Return the file of what people are handed."""
    return packed([_slip(one) for one in issued], form, passphrase)


def _slip(one: Issued) -> Slip:
    return Slip(
        (
            (_("Person"), one.person.name),
            (_("Staff number"), one.person.number),
            (_("User name"), one.username),
            (_("Password"), one.password),
        )
    )
