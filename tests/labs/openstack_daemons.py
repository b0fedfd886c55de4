"""The daemons of the OpenStack lab: how each is started, and how to see that it works."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.labs import openstack_answers as answers

Part = tuple[str, str]


def _always() -> bool:
    return True


@dataclass(frozen=True)
class Daemon:
    """A program. `{folder}` in its words and environment is the lab's folder.

    It works when `answers` says so and every one of `heard` was heard of after it had started.
    """

    words: tuple[str, ...]
    answers: Callable[[], bool] = _always
    heard: Sequence[Part] = ()
    environment: dict[str, str] = field(default_factory=dict)


HOST = "compute1"
AGENTS = tuple((f"neutron-{what}-agent", HOST) for what in ("linuxbridge", "dhcp", "l3", "metadata"))
CONTROL = tuple((f"nova-{what}", HOST) for what in ("conductor", "scheduler"))
COMPUTE = ("nova-compute", HOST)
VOLUMES = (("cinder-scheduler", HOST), ("cinder-volume", f"{HOST}@files"))
EVERYBODY = (*CONTROL, COMPUTE, *VOLUMES, *AGENTS)

_UWSGI = (
    *("uwsgi_python3", "--master", "--die-on-term", "--enable-threads", "--lazy-apps", "--no-orphans"),
    *("--buffer-size", "65535", "--listen", "100", "--processes", "1", "--threads", "4"),
    # It closes idle connections without a word, which clients that keep them would meet as resets.
    *("--add-header", "Connection: close"),
)
_RABBITMQ = {
    "HOME": "{folder}/state/rabbitmq",
    "ERL_EPMD_ADDRESS": "127.0.0.1",
    "RABBITMQ_NODENAME": "rabbit@localhost",
    "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
    "RABBITMQ_MNESIA_BASE": "{folder}/state/rabbitmq/mnesia",
    "RABBITMQ_LOG_BASE": "{folder}/log/rabbitmq",
    "RABBITMQ_CONFIG_FILE": "{folder}/conf/rabbitmq",
    "RABBITMQ_CONF_ENV_FILE": "/dev/null",
    "RABBITMQ_ENABLED_PLUGINS_FILE": "{folder}/conf/enabled_plugins",
    "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
}


def _settings(program: str, *files: str) -> tuple[str, ...]:
    return (program, *(word for file in files for word in ("--config-file", f"{{folder}}/conf/{file}")))


def _listening(port: int, path: str = "/") -> Callable[[], bool]:
    return lambda: answers.http(port, path)


def _nova(program: str, heard: Sequence[Part]) -> Daemon:
    return Daemon(_settings(program, "nova.conf"), heard=heard)


def _agent(what: str, *files: str) -> Daemon:
    name = f"neutron-{what}-agent"
    return Daemon(_settings(name, "neutron.conf", *files), heard=((name, HOST),))


DAEMONS = {
    "mariadb": Daemon(("mariadbd", "--defaults-file={folder}/conf/mariadb.cnf"), answers.database, EVERYBODY),
    "memcached": Daemon(
        ("memcached", "-u", "nobody", "-l", "127.0.0.1", "-p", "11211", "-m", "64"), lambda: answers.port(11211)
    ),
    "rabbitmq": Daemon(("/usr/lib/rabbitmq/bin/rabbitmq-server",), answers.broker, EVERYBODY, _RABBITMQ),
    "keystone": Daemon(
        (*_UWSGI, "--http-socket", "127.0.0.1:5000", "--wsgi-file", "/usr/bin/keystone-wsgi-public"),
        _listening(5000, "/v3"),
        environment={"OS_KEYSTONE_CONFIG_FILES": "{folder}/conf/keystone.conf"},
    ),
    "placement": Daemon(
        (*_UWSGI, "--http-socket", "127.0.0.1:8778", "--wsgi-file", "/usr/bin/placement-api"),
        _listening(8778),
        environment={"OS_PLACEMENT_CONFIG_DIR": "{folder}/conf"},
    ),
    "glance-api": Daemon(_settings("glance-api", "glance-api.conf"), _listening(9292)),
    "neutron-server": Daemon(_settings("neutron-server", "neutron.conf", "ml2_conf.ini"), _listening(9696), AGENTS),
    "nova-conductor": _nova("nova-conductor", (*CONTROL, COMPUTE)),
    "nova-scheduler": _nova("nova-scheduler", CONTROL),
    "nova-api": Daemon(_settings("nova-api", "nova.conf"), _listening(8774)),
    "nova-novncproxy": Daemon(_settings("nova-novncproxy", "nova.conf"), lambda: answers.port(6080)),
    "cinder-api": Daemon(_settings("cinder-api", "cinder.conf"), _listening(8776)),
    "cinder-scheduler": Daemon(_settings("cinder-scheduler", "cinder.conf"), heard=VOLUMES[:1]),
    "cinder-volume": Daemon(
        _settings("cinder-volume", "cinder.conf"), heard=VOLUMES[1:], environment={"PYTHONPATH": "{folder}/conf"}
    ),
    "virtlogd": Daemon(("virtlogd",), Path("/run/libvirt/virtlogd-sock").exists),
    "libvirtd": Daemon(("libvirtd",), answers.hypervisor),
    "nova-compute": _nova("nova-compute", (COMPUTE,)),
    "neutron-linuxbridge-agent": _agent("linuxbridge", "ml2_conf.ini", "linuxbridge_agent.ini"),
    "neutron-dhcp-agent": _agent("dhcp", "dhcp_agent.ini"),
    "neutron-l3-agent": _agent("l3", "l3_agent.ini"),
    "neutron-metadata-agent": _agent("metadata", "metadata_agent.ini"),
}


def _of_host(name: str, number: int) -> Daemon:
    """What `name` is on another host: the same program under another name."""
    host = f"compute{number}"
    return replace(DAEMONS[name], heard=((name, host),), environment={"OS_DEFAULT__HOST": host})


# A port is bound on a host only where an agent of that name lives.
PER_HOST = ("nova-compute", "neutron-linuxbridge-agent")
MOST_HOSTS = 9
DAEMONS |= {f"{name}-{n}": _of_host(name, n) for n in range(2, MOST_HOSTS + 1) for name in PER_HOST}
