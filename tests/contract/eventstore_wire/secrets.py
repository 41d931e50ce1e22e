"""Certificates made on the spot, and a server that asks for TLS and a password."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import trustme

from tests.contract.eventstore_wire.process import Running, server

USER, PASSWORD = "ops", "s3c:r/t?&é"  # what would break a URL if it were not encoded


@dataclass
class Secrets:
    """A folder with an authority, a server's certificate and key, and a password."""

    folder: Path

    def issue(self, host: str = "127.0.0.1") -> None:
        """Make a new authority, and a certificate of its own for `host`."""
        authority = trustme.CA()
        certificate = authority.issue_cert(host)
        certificate.private_key_pem.write_to_path(self.folder / "key.pem")
        certificate.cert_chain_pems[0].write_to_path(self.folder / "cert.pem")
        authority.cert_pem.write_to_path(self.folder / "ca.pem")
        (self.folder / "password").write_text(f"{PASSWORD}\n")

    @property
    def settings(self) -> dict[str, str]:
        """What the server is told of them."""
        return {
            "EQUILOOP_EVENTSTORE_TLS_CERT": f"{self.folder}/cert.pem",
            "EQUILOOP_EVENTSTORE_TLS_KEY": f"{self.folder}/key.pem",
            "EQUILOOP_EVENTSTORE_USER": USER,
            "EQUILOOP_EVENTSTORE_PASSWORD_FILE": f"{self.folder}/password",
        }

    def url(
        self, target: str, password: str = PASSWORD, ca: str = "ca.pem", scheme: str = "kurrentdb"
    ) -> str:
        """The connection string of who knows them."""
        who = f"{USER}:{quote(password, safe='')}"
        return f"{scheme}://{who}@{target}?tls=true&tlsCaFile={self.folder}/{ca}"


@contextmanager
def secured(folder: Path) -> Iterator[tuple[Running, Secrets]]:
    """A server with secrets of its own."""
    secrets = Secrets(folder)
    secrets.issue()
    with server(folder, 0, **secrets.settings) as running:
        yield running, secrets
