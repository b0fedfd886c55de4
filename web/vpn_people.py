"""People in filters: what is looked for is a whole name or number, and what is compared stands for it."""

from dataclasses import replace

from controlplane import persons
from controlplane.paging import Listing
from controlplane.secrets import Keys

_HIDDEN = {"person": persons.name_key, "number": persons.number_key}


def hidden(asked: Listing, keys: Keys) -> Listing:
    """Return a list's question with the people in it hidden, as `lookups.vpn_accounts` takes them."""
    people = {name: _HIDDEN[name](keys, value).hex() for name, value in asked.filters.items() if name in _HIDDEN}
    return replace(asked, filters={**asked.filters, **people})
