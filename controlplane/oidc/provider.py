"""Talking to the identity provider: authorization code flow with PKCE, by Authlib.

Authlib's client for Flask keeps what it once read of a provider for good, takes the provider's word for which
algorithms are safe and does not ask whom a token is for; so the protocol is Authlib's here, and what to insist on is
ours. No redirect of the provider's is followed, and nothing is asked but its issuer and the addresses that its
discovery document names. No transaction may be open meanwhile.
"""

import hmac
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import requests
import structlog
from authlib.common.errors import AuthlibBaseError
from authlib.common.security import generate_token
from authlib.common.urls import add_params_to_uri
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.auth import encode_client_secret_basic
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import BadSignatureError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from controlplane.entrance import Places
from controlplane.oidc.configuration import Configuration, is_safe
from controlplane.oidc.refusals import ProviderAway, ProviderNotTrusted, ProviderRefused, SignInOver
from controlplane.oidc.vouched import Claims, missing

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures that are taken: by a key that the provider alone has."""
_KEY_TYPES = frozenset({"RSA", "EC", "OKP"})
_SECONDS = (3, 7)
_KEPT_SECONDS = 3600.0
_LEEWAY_SECONDS = 60
_SECRET_LENGTH = 43
_LONGEST = timedelta(minutes=10)
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A sign-in that is under way at the provider: what its answer must fit. `begun` is in seconds since 1970.

    It belongs to the browser that began it, and is good once.
    """

    state: str
    nonce: str
    verifier: str
    begun: int


class Provider:
    """The provider of one process, with what was read of it in the last hour. `seconds`: how long it may take to be
    reached, and to answer."""

    def __init__(
        self,
        configuration: Configuration,
        places: Places,
        clock: Callable[[], float] = time.monotonic,
        seconds: tuple[float, float] = _SECONDS,
    ) -> None:
        self.configuration = configuration
        self._places = places
        self._clock = clock
        self._seconds = seconds
        self._metadata: tuple[float, dict[str, Any]] | None = None
        self._keys: tuple[float, KeySet] | None = None

    def begin(self, redirect_uri: str, now: datetime) -> tuple[str, Attempt]:
        """Return where to send a browser, and the attempt to remember. Raises ProviderAway, ProviderNotTrusted."""
        state, nonce, verifier = (generate_token(_SECRET_LENGTH) for _ in range(3))
        attempt = Attempt(state, nonce, verifier, int(now.timestamp()))
        with self._asking() as http:
            url, _ = http.create_authorization_url(
                self.metadata(http)["authorization_endpoint"],
                state=attempt.state,
                nonce=attempt.nonce,
                code_verifier=attempt.verifier,
                redirect_uri=redirect_uri,
            )
        return str(url), attempt

    def finish(self, attempt: Attempt, answer: Mapping[str, str], redirect_uri: str, now: datetime) -> Claims:
        """Return the claims about whoever comes back with `answer`, the parameters of the address.

        Raises SignInOver, ProviderRefused, ProviderAway, ProviderNotTrusted.
        """
        known = hmac.compare_digest(attempt.state.encode(), answer.get("state", "").encode("utf-8", "replace"))
        if not known or now.timestamp() - attempt.begun > _LONGEST.total_seconds():
            raise SignInOver
        with self._asking() as http:
            self._expect_issuer(self.metadata(http), answer.get("iss"))
            if "error" in answer or "code" not in answer:
                log.warning("the identity provider refused", error=answer.get("error", "")[:80])
                raise ProviderRefused
            token = self._token(http, attempt, answer["code"], redirect_uri)
            claims = self._verified(http, token, attempt.nonce, now)
            return self._completed(http, token, claims)

    def sign_out_url(self, back: str) -> str | None:
        """Return where a browser ends its session at the provider, None where the provider has no such address.

        Raises ProviderAway, ProviderNotTrusted.
        """
        with self._asking() as http:
            endpoint = self.metadata(http).get("end_session_endpoint")
        asked = [("client_id", self.configuration.client_id), ("post_logout_redirect_uri", back)]
        return str(add_params_to_uri(endpoint, asked)) if is_safe(endpoint) else None

    def look(self) -> None:
        """See whether the provider answers as it should. Raises ProviderAway, ProviderNotTrusted."""
        with self._asking() as http:
            self.metadata(http)
            self._key_set(http)

    def metadata(self, http: OAuth2Session) -> dict[str, Any]:
        """Return the discovery document."""
        if self._metadata is None or self._clock() - self._metadata[0] > _KEPT_SECONDS:
            issuer = self.configuration.issuer
            found = _json(http, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != issuer:
                raise _distrusted(f"it calls itself {found.get('issuer')!r}")
            for name in _ENDPOINTS:
                if not is_safe(found.get(name)):
                    raise _distrusted(f"{name} is missing or not https")
            self._metadata = (self._clock(), found)
        return self._metadata[1]

    @contextmanager
    def _asking(self) -> Iterator[OAuth2Session]:
        """Give a client for the length of the block; whatever goes wrong becomes a refusal, with its reason in the log.

        A provider that hangs holds few threads, so that other ways in stay open. Raises SignInBusy.
        """
        wanted = self.configuration
        with (
            self._places.one(),
            OAuth2Session(
                wanted.client_id,
                wanted.client_secret,
                scope=wanted.scopes,
                code_challenge_method="S256",
                default_timeout=self._seconds,
                verify=str(wanted.ca_file) if wanted.ca_file else True,
                max_redirects=0,
                trust_env=False,
                leeway=0,
            ) as http,
        ):
            http.register_client_auth_method(("client_secret_basic", _basic))
            try:
                yield http
            except (requests.TooManyRedirects, requests.exceptions.InvalidJSONError) as error:
                raise _distrusted(f"{type(error).__name__}: {error}") from error
            except requests.RequestException as error:
                log.warning("the identity provider does not answer", reason=str(error)[:200])
                raise ProviderAway from error
            except (AuthlibBaseError, JoseError, ValueError, TypeError, KeyError) as error:
                raise _distrusted(f"{type(error).__name__}: {error}") from error

    def _expect_issuer(self, metadata: Mapping[str, Any], said: str | None) -> None:
        """Refuse an answer that is another provider's (RFC 9207)."""
        promised = metadata.get("authorization_response_iss_parameter_supported") is True
        if (said is None and promised) or said not in {None, self.configuration.issuer}:
            raise _distrusted(f"the answer is of {said!r}")

    def _token(self, http: OAuth2Session, attempt: Attempt, code: str, redirect_uri: str) -> dict[str, Any]:
        metadata = self.metadata(http)
        methods = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if "client_secret_basic" not in methods:
            http.token_endpoint_auth_method = "client_secret_post"  # noqa: S105 - a method, not a secret
        try:
            token: dict[str, Any] = http.fetch_token(
                metadata["token_endpoint"],
                grant_type="authorization_code",
                code=code,
                code_verifier=attempt.verifier,
                redirect_uri=redirect_uri,
            )
        except OAuthError as error:
            if error.error == "invalid_grant":
                raise SignInOver from error
            raise
        return token

    def _verified(self, http: OAuth2Session, token: Mapping[str, Any], nonce: str, now: datetime) -> dict[str, Any]:
        """Return the claims of an id_token that is the provider's, for us, of now, and of this attempt."""
        known = self._keys is not None
        try:
            read = _read(token["id_token"], self._key_set(http))
        except (InvalidKeyIdError, BadSignatureError):
            if not known:
                raise
            # The provider may have changed its keys since they were read.
            self._keys = None
            read = _read(token["id_token"], self._key_set(http))
        options: dict[str, Any] = {
            "iss": {"essential": True, "value": self.configuration.issuer},
            "aud": {"essential": True, "value": self.configuration.client_id},
            "sub": {"essential": True},
        }
        params = {"nonce": nonce, "client_id": self.configuration.client_id, "access_token": token.get("access_token")}
        claims = CodeIDToken(read.claims, read.header, options, params)
        claims.validate(int(now.timestamp()), _LEEWAY_SECONDS)
        return dict(claims)

    def _completed(self, http: OAuth2Session, token: Mapping[str, Any], claims: dict[str, Any]) -> Claims:
        """Return claims with what the provider keeps for its userinfo address; what was signed comes first."""
        endpoint = self.metadata(http).get("userinfo_endpoint")
        if not is_safe(endpoint) or not missing(self.configuration, claims):
            return claims
        http.token = token
        more = _json(http, str(endpoint), withhold_token=False)
        if more.get("sub") != claims["sub"]:
            raise _distrusted("its userinfo is of somebody else")
        return {**more, "amr": None, "acr": None, **claims}

    def _key_set(self, http: OAuth2Session) -> KeySet:
        if self._keys is None or self._clock() - self._keys[0] > _KEPT_SECONDS:
            found = _json(http, self.metadata(http)["jwks_uri"])
            signing = [key for key in found["keys"] if key.get("kty") in _KEY_TYPES and key.get("use") != "enc"]
            self._keys = (self._clock(), KeySet.import_key_set({"keys": signing}))
        return self._keys[1]


def _read(id_token: str, keys: KeySet) -> jwt.Token:
    return jwt.decode(id_token, keys, registry=JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False))


def _json(http: OAuth2Session, url: str, *, withhold_token: bool = True) -> dict[str, Any]:
    answer = http.get(url, withhold_token=withhold_token, headers={"Accept": "application/json"})
    answer.raise_for_status()
    found = answer.json()
    if not isinstance(found, dict):
        raise _distrusted(f"{url} answers no object")
    return found


def _basic(client: Any, method: str, uri: str, headers: Any, body: str) -> Any:
    """Authenticate as RFC 6749 2.3.1 has it: identifier and secret are form-encoded first, which Authlib leaves out."""
    coded = _Coded(quote(client.client_id, safe=""), quote(client.client_secret, safe=""))
    return encode_client_secret_basic(coded, method, uri, headers, body)


@dataclass(frozen=True, slots=True)
class _Coded:
    client_id: str
    client_secret: str


def _distrusted(reason: str) -> ProviderNotTrusted:
    log.warning("the identity provider cannot be trusted", reason=reason[:200])
    return ProviderNotTrusted()
