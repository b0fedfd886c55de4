"""People who come in by VPN: openconnect processes in network namespaces, and what their tunnels reach."""

import base64
import hashlib
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.cli.processes import until
from tests.namespaces import inside, ip

SECONDS = 20.0
_UP = "tunnel up as "
_SCRIPT = Path(__file__).with_name("tunnel.sh")


def pin(certificate: Path) -> str:
    """Return what clients hold a gateway's key to."""
    loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
    key = loaded.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return "pin-sha256:" + base64.b64encode(hashlib.sha256(key).digest()).decode()


@dataclass(frozen=True)
class Way:
    """From where to which gateway: a namespace, the gateway's address, its pin, and a folder for what clients say."""

    namespace: str
    gateway: str
    pin: str
    folder: Path

    def client(self, username: str, password: str, *, alone: bool = True, dtls: bool = True) -> "Client":
        """Start somebody's client; one that is not alone in its namespace sets no address and no route there. Without
        `dtls` all goes over TCP."""
        how = ["--interface", "tun0", "--script", str(_SCRIPT)] if alone else ["--script", f"{_SCRIPT} elsewhere"]
        return Client(self, username, password, [*how, *([] if dtls else ["--no-dtls"])])


class Client:
    """A client that tries to come in, and is in or has given up."""

    def __init__(self, way: Way, username: str, password: str, how: Sequence[str]) -> None:
        self.username = username
        self._way = way
        self._log = way.folder / f"client-{uuid4().hex[:12]}.log"
        command = ["openconnect", "--protocol=anyconnect", "--servercert", way.pin, "--non-inter", "--passwd-on-stdin"]
        command += [*how, f"--user={username}", way.gateway]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                inside(way.namespace, *command), stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
            )
        assert self._process.stdin
        with suppress(BrokenPipeError), self._process.stdin as asked:
            asked.write(f"{password}\n".encode())

    def is_in(self, seconds: float = SECONDS) -> bool:
        """Tell, as soon as it is known, whether the tunnel is up."""
        until(lambda: _UP in self.said() or self.has_ended(), f"an answer for {self.username}", seconds)
        return not self.has_ended()

    @property
    def address(self) -> str:
        """The address that the tunnel was given."""
        return self.said().partition(_UP)[2].partition("\n")[0].rstrip(".")

    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def gives_up(self, seconds: float = SECONDS) -> bool:
        """Tell whether it ends by itself."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self.has_ended()

    def leave(self) -> None:
        """Say good-bye to the gateway and end."""
        self._end(signal.SIGINT)

    def vanish(self) -> None:
        """End without a word."""
        self._end(signal.SIGKILL)

    def _end(self, how: int) -> None:
        if not self.has_ended():
            self._process.send_signal(how)
        try:
            self._process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def reaches(namespace: str, address: str, source: str | None = None) -> bool:
    """Tell whether an address answers somebody who sends everything for it into the tunnel, as `source` if given."""
    ip("-n", namespace, "route", "replace", f"{address}/32", "dev", "tun0")
    if source:
        ip("-n", namespace, "address", "replace", f"{source}/32", "dev", "tun0")
    ping = ["ping", "-q", "-c", "1", "-W", "1", *(("-I", source) if source else ()), address]
    return subprocess.run(inside(namespace, *ping), capture_output=True, check=False).returncode == 0
