"""The way to an OpenStack region: who we are there, and what its answers mean.

Calls go through openstacksdk's own sessions, which find the endpoints in the catalogue and renew tokens. Every answer
becomes what a driver may say: a document, nothing (404), Rejected with the service's own words, or Unreachable.
"""

import threading
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self
from urllib.parse import parse_qsl, urlsplit

import openstack
from keystoneauth1.exceptions.base import ClientException
from keystoneauth1.exceptions.catalog import EndpointNotFound
from netaddr import AddrFormatError, IPNetwork
from openstack.connection import Connection as Region
from openstack.exceptions import SDKException
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from provisioners.contract import Ingress, IngressProtocol, Rejected, Unreachable

Service = Literal["compute", "network", "image", "identity", "placement", "block_storage"]
Document = dict[str, Any]

MICROVERSIONS: Mapping[str, str] = {"compute": "2.90", "placement": "1.36", "block_storage": "3.44"}
"""2.90 names the guest apart from the server; it came with Xena. From 3.42 on an attached volume can grow."""
PAGE = 500
_REFUSED = frozenset({400, 403, 405, 406, 411, 413, 422, 501})
"""413 is how Cinder says that a quota is exceeded."""
_PLAIN_404 = frozenset({"image"})
"""Glance says in plain words that it has no such image. Of the others such an answer is a proxy's."""


_FAMILY_OF = {"icmp": 4, "ipv6-icmp": 6}
_LAST_PORT = 65535


class IngressForAll(BaseModel):
    """What may reach the machines of every department: `ports` is one or a range (`8000-8080`), for tcp and udp."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    protocol: IngressProtocol
    ports: str | None = Field(None, pattern=r"^\d{1,5}(-\d{1,5})?$")
    source: str = Field("", description="addresses that it may come from, as CIDR; from everywhere without")

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        rule, family = self.rule, IPNetwork(self.rule.source).version
        if rule.first is not None and not 1 <= rule.first <= (rule.last or 0) <= _LAST_PORT:
            raise ValueError(f"{self.ports} is no port and no range of 1 to {_LAST_PORT}")
        if _FAMILY_OF.get(self.protocol, family) != family:
            raise ValueError(f"{self.protocol} is not of IPv{family}, which {rule.source} is of")
        if self.ports and self.protocol in _FAMILY_OF:
            raise ValueError(f"{self.protocol} has no ports")
        return self

    @property
    def rule(self) -> Ingress:
        """It as the contract has it."""
        first, _, last = (self.ports or "").partition("-")
        try:
            source = str(IPNetwork(self.source or ("::/0" if self.protocol == "ipv6-icmp" else "0.0.0.0/0")).cidr)
        except AddrFormatError as error:
            raise ValueError(f"{self.source!r} is no network in CIDR form") from error
        return Ingress(self.protocol, source, *((int(first), int(last or first)) if first else ()))


class Settings(BaseModel):
    """What a pool's record says of a region. Whoever signs in needs the role `admin` on `project_name`: it sees all
    projects, makes those of departments in `domain`, and acts in each with no more than `role`.

    `boot_volumes`: machines that are made from now on have a volume as their first disk as well.
    `external_network` (a name or an id) is where the routers of departments' own networks lead to.
    `networks` says which network of the region (a name or an id) a subnet's `network` is, where the names differ.
    `availability_zone`: the pool is this zone alone. `config_drive`: guests learn their addresses from a disk, where
    the networks have no DHCP. `ingress` is let into each project's default security group, which lets in nothing else
    from outside.
    """

    # What is wrong with a connection is told to people, who need not see its password.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    cloud: str | None = Field(None, description="name in the worker's clouds.yaml, in place of all of `auth`")
    auth_url: str | None = None
    username: str | None = None
    password: SecretStr | None = None
    user_domain_name: str = "Default"
    project_name: str | None = None
    project_domain_name: str = "Default"
    region_name: str | None = None
    interface: Literal["public", "internal", "admin"] = "public"
    ca_file: str | None = None
    domain: str = Field("Default", description="domain that holds the departments' projects")
    role: str = "member"
    availability_zone: str | None = None
    networks: Mapping[str, str] = Field(default_factory=dict)
    config_drive: bool = False
    external_network: str | None = Field(None, description="way out of departments' own networks; none without")
    volume_type: str | None = Field(None, description="what Cinder makes volumes as; its own default without")
    boot_volumes: bool = False
    ingress: tuple[IngressForAll, ...] = ()
    call_seconds: float = Field(60, gt=0, le=600)

    @model_validator(mode="after")
    def _one_way_in(self) -> "Settings":
        named = [part is not None for part in (self.auth_url, self.username, self.password, self.project_name)]
        if any(named) if self.cloud else not all(named):
            raise ValueError("give either cloud, or auth_url, username, password and project_name")
        return self


class Link:
    """Sessions with one region: our own, and one for each project that we act in. Safe to use from several threads.

    `calls` counts what was asked, by service and method: what an operation costs is part of what is measured.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._region: Region | None = None
        self._projects: dict[str, Region] = {}
        self.calls: dict[str, int] = {}

    def ask(self, service: Service, path: str, project: str | None = None, **params: Any) -> Document | None:
        """GET a document; None where there is none. Raises Rejected, Unreachable."""
        return self._call(service, "GET", path, project, params={k: v for k, v in params.items() if v is not None})

    def tell(
        self,
        service: Service,
        method: str,
        path: str,
        body: Document | None = None,
        project: str | None = None,
        **newer: str,
    ) -> Document | None:
        """Send an order; None where what it is about is not there. Raises Rejected, Unreachable, Conflict for 409.

        `newer`: a `microversion` that this order alone needs.
        """
        return self._call(service, method, path, project, json=body, **newer)

    def every(self, service: Service, path: str, key: str, **params: Any) -> Iterator[Document]:
        """Yield every item of a list, page by page. Raises Rejected, Unreachable."""
        wanted = {"limit": PAGE, **params}
        while True:
            page = self._page(service, path, key, wanted)
            yield from page[key]
            wanted["marker"] = _marker(page, key)
            if wanted["marker"] is None:
                return

    def few(self, service: Service, path: str, key: str, **params: Any) -> list[Document]:
        """Return a list that is short enough for one answer. Raises Rejected, Unreachable."""
        return list(self._page(service, path, key, params)[key])

    def user(self) -> str:
        """Return the id that the region knows us by."""
        with _translated(self._settings):
            return str(self._into(None).current_user_id)

    def project(self) -> str:
        """Return the id of our own project."""
        with _translated(self._settings):
            return str(self._into(None).current_project_id)

    def offers(self, service: Service) -> bool:
        """Tell whether a service is in the region's catalogue. Raises Unreachable."""
        kind, face, name = service.replace("_", "-"), self._settings.interface, self._settings.region_name
        with _translated(self._settings):
            try:
                session = self._into(None).session
                return session.get_endpoint(service_type=kind, interface=face, region_name=name) is not None
            except EndpointNotFound:
                return False

    def close(self) -> None:
        """Let go of every session."""
        with self._lock:
            opened = [*self._projects.values(), *([self._region] if self._region else [])]
            self._projects.clear()
            self._region = None
        for region in opened:
            region.close()

    def _page(self, service: Service, path: str, key: str, params: Document) -> Document:
        page = self.ask(service, path, **params)
        # An empty list is an answer; none at all would let what is there look as if it were not.
        if page is None or not isinstance(page.get(key), list):
            raise Unreachable(f"{service} GET {path}: the answer has no {key}")
        return page

    def _call(self, service: Service, method: str, path: str, project: str | None, **how: Any) -> Document | None:
        more = {"microversion": MICROVERSIONS[service]} if service in MICROVERSIONS else {}
        with _translated(self._settings):
            proxy = getattr(self._into(project), service)
            with self._lock:
                self.calls[f"{service} {method}"] = self.calls.get(f"{service} {method}", 0) + 1
            answer = proxy.request(path, method, raise_exc=False, timeout=self._settings.call_seconds, **(more | how))
        return _document(service, method, path, answer)

    def _into(self, project: str | None) -> Region:
        with self._lock:
            if self._region is None:
                self._region = _open(self._settings)
            if project is None:
                return self._region
            known = self._projects.get(project)
            if known is None:
                known = self._projects[project] = self._region.connect_as_project({"id": project})
            return known


class Conflict(Unreachable):
    """The service is about something else, or has it already; later it may take the order. `kind` is its own word for
    it, where it has one."""

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(words)
        self.kind = kind


class _translated:  # noqa: N801 - reads as a statement
    """Turn what a session raises into what a driver may raise."""

    def __init__(self, settings: Settings) -> None:
        self._where = settings.cloud or settings.auth_url

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, ClientException | SDKException | OSError):
            raise Unreachable(f"{self._where}: {type(error).__name__}: {error}") from error


def _open(settings: Settings) -> Region:
    common: dict[str, Any] = {
        "region_name": settings.region_name,
        "interface": settings.interface,
        "cacert": settings.ca_file,
        "api_timeout": settings.call_seconds,
        "app_name": "steppe",
    }
    given = {name: value for name, value in common.items() if value is not None}
    if settings.cloud:
        return openstack.connect(cloud=settings.cloud, **given)
    assert settings.password is not None  # noqa: S101 - Settings saw to it
    auth = {
        "auth_url": settings.auth_url,
        "username": settings.username,
        "password": settings.password.get_secret_value(),
        "user_domain_name": settings.user_domain_name,
        "project_name": settings.project_name,
        "project_domain_name": settings.project_domain_name,
    }
    return openstack.connect(load_yaml_config=False, load_envvars=False, auth=auth, **given)


def _document(service: Service, method: str, path: str, answer: Any) -> Document | None:
    status, document = answer.status_code, _read(answer)
    if status == 404 and (document or service in _PLAIN_404):
        return None
    if status < 300 and document is not None:
        return document
    kind, words = _words(document or {}, answer.reason)
    if status == 409:
        raise Conflict(kind, words)
    if status in _REFUSED:
        raise Rejected(_code(kind, words), words)
    broken = ", and not in JSON" if document is None else ""
    raise Unreachable(f"{service} {method} {path.partition('?')[0]}: {status} {words}{broken}")


def _read(answer: Any) -> Document | None:
    """Return what an answer holds; None where it is no document at all, such as the page of a proxy in between."""
    try:
        document = answer.json() if answer.content else {}
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _words(document: Document, otherwise: str) -> tuple[str, str]:
    """Return the service's word for an error and its sentence: Nova, Neutron, Keystone and Placement each have their
    own way to say it."""
    name, inside = next(iter(document.items()), ("", otherwise))
    if isinstance(inside, list) and inside and isinstance(inside[0], dict):
        return str(inside[0].get("code", "")), str(inside[0].get("detail") or inside[0].get("title"))
    if isinstance(inside, dict):
        return str(inside.get("type") or name), str(inside.get("message") or otherwise)
    return str(name), str(inside)


def _code(kind: str, words: str) -> str:
    return "openstack.over_quota" if "quota" in f"{kind} {words}".lower() else "openstack.refused"


def _marker(page: Document, key: str) -> str | None:
    """Return where the next page begins; None after the last. Nova and Neutron, Keystone, and Glance each say it in
    their own way."""
    links = [link["href"] for link in page.get(f"{key}_links", ()) if link.get("rel") == "next"]
    links += [(page.get("links") or {}).get("next"), page.get("next")]
    following = next(filter(None, links), "")
    return dict(parse_qsl(urlsplit(following).query)).get("marker")
