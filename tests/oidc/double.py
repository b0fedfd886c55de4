"""A small provider that answers as it is told, for the lies and faults that no real one can be made to show."""

import base64
import hmac
import json
import socket
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from joserfc import jwt
from joserfc.jwk import Key, RSAKey
from joserfc.jws import JWSRegistry

ALL = JWSRegistry(algorithms=["RS256", "none"], strict_check_header=False)


class Double:
    """Its discovery document, keys and id_token are what a test makes of them; `asked` is every path, in order.

    With `certificate` it speaks TLS, and writes there what it is known by.
    """

    def __init__(self, certificate: Path | None = None) -> None:
        self.keys: list[Key] = [RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})]
        self.metadata: dict[str, Any] = {}
        self.claims: dict[str, Any] = {}
        self.token: dict[str, Any] = {}
        self.signed_by: Callable[[dict[str, Any]], str] = self.signed
        self.redirects: dict[str, str] = {}
        self.userinfo: dict[str, Any] = {}
        self.asked: list[str] = []
        self.form: dict[str, str] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._scheme = "https" if certificate else "http"
        if certificate:
            self._server.socket = _secured(self._server.socket, certificate)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def issuer(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Be away from now on."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def signed(self, claims: dict[str, Any], header: dict[str, Any] | None = None, key: Key | None = None) -> str:
        """Return claims as a token, by default as this provider signs it."""
        return jwt.encode({"alg": "RS256", "kid": "first", **(header or {})}, claims, key or self.keys[0], registry=ALL)

    def signed_with(self, secret: bytes, claims: dict[str, Any]) -> str:
        """Return claims signed with something that is no key of this provider's."""
        head, body = (_coded(json.dumps(part).encode()) for part in ({"alg": "HS256", "kid": "first"}, claims))
        return f"{head}.{body}.{_coded(hmac.digest(secret, f'{head}.{body}'.encode(), 'sha256'))}"

    def says_of(self, nonce: str, subject: str = "u-1", groups: Any = ("eyes",)) -> None:
        """Vouch for somebody in the answer to the attempt with this nonce."""
        now = int(datetime.now(UTC).timestamp())
        self.claims = {
            **{"iss": self.issuer, "aud": "steppe", "sub": subject, "nonce": nonce, "iat": now, "exp": now + 60},
            **{"preferred_username": "wang", "name": "王芳", "groups": list(groups), "department": "finance"},
        }

    def answer(self, path: str) -> dict[str, Any]:
        """Return what a path gives."""
        if path == "/.well-known/openid-configuration":
            names = ("authorization", "token", "userinfo")
            ends = {f"{name}_endpoint": f"{self.issuer}/{name}" for name in names}
            return {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys", **ends, **self.metadata}
        if path == "/keys":
            return {"keys": [key.as_dict(private=False) for key in self.keys]}
        if path == "/token":
            token = {"access_token": "a", "token_type": "Bearer", "id_token": self.signed_by(self.claims)}
            return {**token, **self.token}
        return self.userinfo

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        double = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                double.asked.append(self.path)
                to = double.redirects.get(self.path)
                body = json.dumps(double.answer(self.path)).encode()
                self.send_response(302 if to else 200)
                if to:
                    self.send_header("Location", to)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
                double.form = {name: values[0] for name, values in parse_qs(sent).items()}
                self.do_GET()

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        return Handler


def _coded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def _secured(plain: socket.socket, certificate: Path) -> socket.socket:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "the double")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, SHA256())
    )
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    own = certificate.with_suffix(".key")
    own.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, own)
    return context.wrap_socket(plain, server_side=True)
