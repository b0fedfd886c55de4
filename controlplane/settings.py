"""Every setting of an installation, read from the environment once (`STEPPE_` and the name in capitals)."""

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

ADDRESS = r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,187}[A-Za-z0-9])?$"
"""The form of an e-mail address: of one mailbox, without a name, as it can stand in a header."""


class Settings(BaseSettings):
    """Frozen; the description of each field is the documentation (`steppe settings` prints the table)."""

    model_config = SettingsConfigDict(env_prefix="STEPPE_", frozen=True, extra="ignore")

    database_url: str | None = Field(
        None, description="PostgreSQL to use (postgresql://user:password@host/name); empty: the embedded server"
    )
    state_dir: Path = Field(
        Path("var"), description="where the embedded database, keys and simulated hypervisors keep their files"
    )
    listen: str = Field("127.0.0.1:8080", description="address and port of the web server")
    console_listen: str | None = Field(
        None, description="address and port of the console proxy; empty: the web server's, one port higher"
    )
    console_url: str | None = Field(
        None,
        pattern="^wss?://[^/ ]+/",
        description="where browsers reach the console proxy, like wss://cloud.example/console; empty: its own port",
    )
    console_sessions: int = Field(32, ge=1, le=1024, description="consoles that one proxy keeps open at the same time")
    console_idle_minutes: int = Field(15, ge=1, le=1440, description="a console in which nobody types ends after this")
    console_minutes: int = Field(240, ge=1, le=1440, description="a console ends after this, whatever happens in it")
    web_workers: int = Field(2, ge=1, le=64, description="web processes")
    web_threads: int = Field(8, ge=1, le=64, description="threads of each web process")
    job_threads: int = Field(8, ge=1, le=128, description="jobs that one worker process does at the same time")
    sweep_minutes: int = Field(5, ge=1, le=59, description="minutes between two sweeps over all resources")
    pool_calls: int = Field(
        3, ge=1, le=128, description="calls that one worker has under way at one pool at the same time"
    )
    pool_call_seconds: int = Field(
        300, ge=1, le=3600, description="seconds after which a call to a pool counts as not answered"
    )
    worker_dead_seconds: int = Field(
        30, ge=2, le=600, description="seconds without a heartbeat after which a worker's jobs are given to another"
    )
    secret_key: str | None = Field(
        None, description="key that signs cookies and hides names; empty: made once and kept in the state folder"
    )
    sealing_keys: str | None = Field(
        None,
        description="keys that seal second factors, separated by commas, the newest first; empty: made once and kept"
        " in the state folder",
    )
    attachments_most: int = Field(10, ge=0, le=100, description="files that one request may have with it")
    attachment_mib: int = Field(10, ge=1, le=30, description="largest file that may come with a request")
    trusted_proxies: int = Field(
        0, ge=0, le=8, description="proxies before Steppe whose X-Forwarded-For says where somebody comes from"
    )
    password_length: int = Field(12, ge=12, le=64, description="characters that a password needs")
    password_history: int = Field(5, ge=0, le=24, description="previous passwords that may not be taken again")
    password_days: int = Field(90, ge=0, le=3650, description="a password must be changed after this; 0: never")
    lock_after: int = Field(5, ge=1, le=100, description="wrong tries after which a user name is locked")
    lock_minutes: int = Field(1, ge=1, le=1440, description="the first lock lasts so long, each further one twice that")
    lock_longest_minutes: int = Field(60, ge=1, le=1440, description="no lock lasts longer")
    session_idle_minutes: int = Field(30, ge=1, le=1440, description="who does nothing for so long is signed out")
    session_hours: int = Field(8, ge=1, le=168, description="everybody is signed out after this")
    sessions_at_once: int = Field(3, ge=1, le=100, description="sessions of one user; one more ends the oldest")
    unused_days: int = Field(90, ge=0, le=3650, description="an account that nobody uses is disabled; 0: never")
    token_days: int = Field(365, ge=1, le=3650, description="longest life of an API token")
    vpn_log_days: int = Field(
        400,
        ge=0,
        le=3650,
        description="VPN logins and tunnels are forgotten after this; 0: never. The law asks for six months or more",
    )
    secure_cookies: bool = Field(False, description="cookies over HTTPS only: set it wherever TLS stands before Steppe")
    public_url: str | None = Field(
        None,
        pattern="^https?://[^/ ]+$",
        description="where browsers reach Steppe, like https://cloud.example; empty: as each browser asks",
    )
    oidc_issuer: str | None = Field(None, description="identity provider to sign in with (OpenID Connect): its issuer")
    oidc_client_id: str | None = Field(None, description="what the identity provider knows Steppe by")
    oidc_client_secret: str | None = Field(None, description="Steppe's secret at the identity provider")
    oidc_client_secret_file: Path | None = Field(None, description="file that holds that secret, in its place")
    oidc_scopes: str = Field("openid profile", description="scopes to ask the identity provider for")
    oidc_user_claim: str = Field("preferred_username", description="claim with the user name")
    oidc_name_claim: str = Field("name", description="claim with the name of the person")
    oidc_roles_claim: str = Field(
        "groups", description="claim with groups or roles; dots lead into objects, like realm_access.roles"
    )
    oidc_roles: str = Field(
        "",
        description="which value of that claim gives which role: VALUE=ROLE or VALUE=ROLE@DEPARTMENT, separated by"
        " semicolons",
    )
    oidc_department_claim: str | None = Field(
        None, description="claim with the code of the department, for department roles that are given without one"
    )
    oidc_mfa: str = Field(
        "",
        description="values of amr or acr that stand for a second factor, separated by commas; empty: Steppe asks for"
        " its own",
    )
    oidc_provision: bool = Field(
        False, description="make an account for whoever comes with a role; otherwise it is prepared before"
    )
    oidc_label: str = Field("", description="what the button says on the sign-in page; empty: single sign-on")
    oidc_ca_file: Path | None = Field(
        None, description="certificates of the authorities that the identity provider's is checked against (PEM)"
    )
    mail_host: str | None = Field(None, description="mail server (SMTP) that notifications go out by; empty: no mail")
    mail_port: int | None = Field(
        None, ge=1, le=65535, description="its port; empty: 25, 587 or 465 as mail_security is"
    )
    mail_security: Literal["plain", "starttls", "tls"] = Field(
        "starttls", description="`plain`: unencrypted, inside the centre alone; `starttls`; `tls` from the first byte"
    )
    mail_user: str | None = Field(None, description="user name at the mail server; empty: none is asked for")
    mail_password: str | None = Field(None, description="password at the mail server")
    mail_password_file: Path | None = Field(None, description="file that holds that password, in its place")
    mail_from: str = Field("steppe@localhost", pattern=ADDRESS, description="address that mails come from")
    mail_language: Literal["zh", "en"] = Field("zh", description="language that mails are in")
    webhook_allowed: str = Field(
        "",
        description="networks and host names that webhooks may go to, separated by commas; empty: anywhere but this"
        " host itself, link-local and metadata addresses",
    )
    outgoing_ca_file: Path | None = Field(
        None,
        description="certificates of the authorities that mail servers' and webhooks' are checked against (PEM); empty:"
        " the host's own",
    )
    centre_name: str = Field("内蒙古自治区电子政务外网云中心", description="name of the centre, as pages show it")
    time_zone: str = Field("Asia/Shanghai", description="zone of the site: times on pages are shown in it")
    log_format: str = Field(
        "console", pattern="^(console|json)$", description="`console` for people, `json` for collectors"
    )
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="least level that is logged")

    @property
    def console_address(self) -> tuple[str, int]:
        """Host and port that the console proxy listens on."""
        host, _, port = (self.console_listen or self.listen).rpartition(":")
        return host.strip("[]"), int(port) if self.console_listen else int(port) + 1


@cache
def settings() -> Settings:
    """Return this process's settings."""
    return Settings()  # type: ignore[call-arg]
