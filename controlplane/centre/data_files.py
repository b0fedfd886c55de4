"""Reading a model's data files, and making the second, third ... copy of it with codes and addresses of its own."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from netaddr import IPAddress, IPNetwork

_DATA = Path(__file__).parent / "data"
_SHIFT_BITS = {4: 16, 6: 80}
"""A copy's addresses lie this many bits above those of the copy before: 10.15.x.x becomes 10.16.x.x."""

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Model:
    """One copy of a model's data. Everything has the codes and addresses that it is to be made with."""

    sites: Rows
    departments: Rows
    systems: Rows
    flavors: Rows
    images: Rows
    subnets: Rows
    pools: Rows
    vms: Rows
    gateways: Rows
    groups: Rows


class UnknownModel(LookupError):
    """There are no data files of this name."""


def models() -> list[str]:
    """Return the names of the models that there are."""
    return sorted(folder.name for folder in _DATA.iterdir() if folder.is_dir())


def read(name: str) -> Model:
    """Return the first copy of a model. Raises UnknownModel."""
    folder = _DATA / name
    if name not in models():
        raise UnknownModel(f"there is no model centre {name!r}; there are: {', '.join(models())}")

    def rows(file: str) -> Any:
        return yaml.load((folder / f"{file}.yaml").read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506 - a safe one

    catalogue = rows("catalogue")
    plain = {file: rows(file) for file in ("sites", "departments", "systems", "subnets", "pools", "vms")}
    vpn = rows("vpn")
    shared = {"flavors": catalogue["flavors"], "images": catalogue["images"]}
    return Model(**plain, **shared, gateways=vpn["gateways"], groups=vpn["groups"])


def copies(model: Model, scale: int) -> Iterator[Model]:
    """Return `scale` copies; flavors and images are shared, and stand in the first alone."""
    yield model
    for number in range(1, scale):
        yield _copy(model, number)


def _copy(model: Model, number: int) -> Model:
    tail = f"-{number + 1}"

    def coded(rows: Rows, *references: str) -> Rows:
        keys = {"code", *references}
        return [{k: f"{v}{tail}" if k in keys and v else v for k, v in row.items()} for row in rows]

    def names(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "subnets": [f"{code}{tail}" for code in row["subnets"]]}

    return Model(
        sites=coded(model.sites, "parent"),
        departments=coded(model.departments, "site", "parent"),
        systems=coded(model.systems, "department"),
        flavors=[],
        images=[],
        subnets=[_shifted(row, number) for row in coded(model.subnets, "site")],
        pools=coded(model.pools, "site"),
        vms=[names(row) for row in coded(model.vms, "system")],
        gateways=coded(model.gateways, "site"),
        groups=[_reaching(row, number) for row in coded(model.groups, "department", "gateway")],
    )


def _reaching(group: dict[str, Any], number: int) -> dict[str, Any]:
    networks = [IPNetwork(network) for network in group["networks"]]
    moved = [f"{IPAddress(n.first + (number << _SHIFT_BITS[n.version]), n.version)}/{n.prefixlen}" for n in networks]
    return {**group, "networks": moved}


def _shifted(subnet: dict[str, Any], number: int) -> dict[str, Any]:
    network = IPNetwork(subnet["cidr"])
    offset = number << _SHIFT_BITS[network.version]

    def address(text: str) -> str:
        return str(IPAddress(int(IPAddress(text)) + offset, network.version))

    def entry(text: str) -> str:
        return "-".join(address(part) for part in text.split("-"))

    return {
        **subnet,
        "cidr": f"{address(str(network.network))}/{network.prefixlen}",
        "gateway": address(subnet["gateway"]),
        "reserved": [entry(text) for text in subnet["reserved"]],
        "excluded": [entry(text) for text in subnet["excluded"]],
    }


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
