"""Which block of a gateway's client network a group gets: the lowest that is free. Pure."""

from collections.abc import Sequence

from netaddr import IPNetwork, IPSet


def lowest_block(clients: str, prefix: int, taken: Sequence[str]) -> str:
    """Return the lowest block of this prefix length in `clients` that shares no address with any of `taken`.

    Raises ValueError where the prefix does not fit, or nothing so large is free.
    """
    network = IPNetwork(clients)
    longest = 30 if network.version == 4 else 126
    if not network.prefixlen <= prefix <= longest:
        raise ValueError(f"a block of {clients} has a prefix of {network.prefixlen} to {longest} bits, not {prefix}")
    free = IPSet([network]) - IPSet(taken)
    for block in sorted(free.iter_cidrs()):
        if block.prefixlen <= prefix:
            return str(next(iter(block.subnet(prefix))))
    raise ValueError(f"no block of /{prefix} is free in {clients}; ask for a smaller one, or give it a larger network")
