"""What the store's process reads from the environment: `EQUILOOP_EVENTSTORE_URL` and others."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.eventstore.security import KeyPair, Security


class Settings(BaseSettings):
    """What the store needs to know of its surroundings."""

    model_config = SettingsConfigDict(env_prefix="EQUILOOP_", extra="ignore", frozen=True)

    eventstore_url: str = Field("sqlite:///var/eventstore.db", description="The log to serve")
    eventstore_host: str = Field("127.0.0.1", description="Address to listen on")
    eventstore_port: int = Field(2113, ge=0, le=65535, description="0: any free one")
    eventstore_advertised: str = Field("", description="Host that discovery names; empty: as above")
    eventstore_tls_cert: str = Field("", description="PEM file of the certificate; empty: no TLS")
    eventstore_tls_key: str = Field("", description="PEM file of the certificate's private key")
    eventstore_user: str = Field("", description="Who may call; empty: whoever reaches the port")
    eventstore_password: SecretStr = Field(SecretStr(""), description="The user's password")
    eventstore_password_file: str = Field("", description="File that holds the password instead")
    drain: float = Field(10.0, ge=0, description="Seconds for running calls to end at shutdown")
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    def security(self) -> Security:
        """Answer what is asked of those who call. Raises ValueError for what makes no sense."""
        pair = [self.eventstore_tls_cert, self.eventstore_tls_key]
        if any(pair) and not all(pair):
            raise _wrong("TLS_CERT and EQUILOOP_EVENTSTORE_TLS_KEY belong together: set both")
        password = self._password()
        if bool(self.eventstore_user) != bool(password):
            raise _wrong("USER and a password belong together: set both")
        if password and not all(pair):
            raise _wrong("USER needs TLS, or its password could be read on the way: set TLS_CERT")
        if ":" in self.eventstore_user:
            raise _wrong("USER has a colon, at which clients would cut it")
        credentials = KeyPair(*map(Path, pair)).credentials() if all(pair) else None
        return Security(credentials, self.eventstore_user, password)

    def _password(self) -> str:
        given, path = self.eventstore_password.get_secret_value(), self.eventstore_password_file
        if given and path:
            raise _wrong("PASSWORD and EQUILOOP_EVENTSTORE_PASSWORD_FILE: set one of them")
        if not path:
            return given
        try:
            kept = Path(path).read_text().rstrip("\r\n")  # editors end a file with a line end
        except (OSError, ValueError) as error:
            raise _wrong(f"PASSWORD_FILE cannot be read: {error}") from None
        if not kept:
            raise _wrong(f"PASSWORD_FILE: {path} is empty")
        return kept


def _wrong(what: str) -> ValueError:
    return ValueError(f"wrong settings: EQUILOOP_EVENTSTORE_{what}")
