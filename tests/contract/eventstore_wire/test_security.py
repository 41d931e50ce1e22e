"""TLS and a password: who comes in, who does not, and what those are told."""

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from os import environ
from pathlib import Path

import grpc
import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from grpc_health.v1 import health_pb2, health_pb2_grpc
from kurrentdbclient import AsyncKurrentDBClient, KurrentDBClient, StreamState
from kurrentdbclient.exceptions import UnauthenticatedError

from libs.eventstore.connect import connect
from libs.eventstore.port import Expected, StoreUnavailable
from services.eventstore.settings import Settings
from tests.contract.eventstore.scene import some, stream_of
from tests.contract.eventstore_wire.process import Running, command
from tests.contract.eventstore_wire.scene import event, events, fresh
from tests.contract.eventstore_wire.secrets import PASSWORD, USER, Secrets, secured

Place = tuple[Running, Secrets]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A server that all of these tests talk to."""
    with secured(tmp_path_factory.mktemp("secured")) as (running, secrets):
        yield running, secrets
        assert running.stop() == 0
        assert running.complaints() == ""


@pytest.fixture
async def channel(place: Place) -> AsyncIterator[grpc.aio.Channel]:
    """A channel over TLS that does not say who calls."""
    running, secrets = place
    credentials = grpc.ssl_channel_credentials((secrets.folder / "ca.pem").read_bytes())
    async with grpc.aio.secure_channel(running.target, credentials) as channel:
        yield channel


@pytest.mark.parametrize("scheme", ["kurrentdb", "kurrentdb+discover"])
async def test_adapter_works_with_password_over_tls(place: Place, scheme: str) -> None:
    """A connection string with user, password and authority reads, writes and follows."""
    running, secrets = place
    store, stream, new = await connect(secrets.url(running.target, scheme=scheme)), fresh(), some(3)
    appended = await store.append(stream, new, Expected.NO_STREAM)
    assert [e.id for e in await stream_of(store, stream)] == [e.id for e in new]
    batch = await anext(store.subscribe(after=appended.position - 1))
    assert [e.id for e in batch.events] == [new[-1].id]
    await store.close()


def secret_free(url: str) -> str:
    """The connection string without what says who calls: the clients do not decode it."""
    return url.replace(url[url.index("//") + 2 : url.index("@")], f"{USER}:wrong")


async def test_clients_of_both_kinds_come_in(place: Place) -> None:
    """The official clients come in with the user's credentials on each call."""
    running, secrets = place
    url, stream, new = secret_free(secrets.url(running.target)), fresh(), events(2)
    client, async_client = KurrentDBClient(url), AsyncKurrentDBClient(url)
    await async_client.connect()
    credentials = client.construct_call_credentials(USER, PASSWORD)
    client.append_to_stream(
        stream, events=new, current_version=StreamState.NO_STREAM, credentials=credentials
    )
    assert list(await async_client.get_stream(stream, credentials=credentials)) == new
    client.close()
    await async_client.close()


async def test_wrong_password_is_refused_everywhere(place: Place) -> None:
    """With another password, every call of either client raises its error for that."""
    running, secrets = place
    url = secret_free(secrets.url(running.target))
    client, async_client = KurrentDBClient(url), AsyncKurrentDBClient(url)
    await async_client.connect()
    for call in (
        lambda: client.get_stream("order-1"),
        lambda: list(client.read_all()),
        lambda: client.append_to_stream("a", events=event(), current_version=StreamState.ANY),
        lambda: client.append_to_stream("a", events=events(2), current_version=StreamState.ANY),
        lambda: client.delete_stream("a", current_version=StreamState.ANY),
        lambda: client.tombstone_stream("a", current_version=StreamState.ANY),
        lambda: next(client.subscribe_to_all()),
    ):
        with pytest.raises(UnauthenticatedError):
            call()
    with pytest.raises(UnauthenticatedError):
        await async_client.get_stream("order-1")
    with pytest.raises(UnauthenticatedError):
        await async_client.append_to_stream("a", events=events(2), current_version=StreamState.ANY)
    client.close()
    await async_client.close()


@pytest.mark.parametrize(
    "said",
    ["", "Basic", "Basic ???", "Basic b3Bz", "Bearer b3BzOnMzYzpyL3Q/JsOp", "Basic b3BzOg=="],
)
async def test_whoever_does_not_say_it_right_stays_out(
    channel: grpc.aio.Channel, said: str
) -> None:
    """Calls without the user's credentials, whatever they bring, are UNAUTHENTICATED."""
    metadata = (("authorization", said),) if said else ()
    for method in ("event_store.client.streams.Streams/Read", "any.Thing/AtAll"):
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await channel.unary_unary(f"/{method}", bytes, bytes)(b"", metadata=metadata)
        assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_probes_and_discovery_stay_open(channel: grpc.aio.Channel) -> None:
    """Health and gossip are answered to everybody."""
    check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]
    answer = await check(health_pb2.HealthCheckRequest())
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    assert await channel.unary_unary("/event_store.client.gossip.Gossip/Read", bytes, bytes)(b"")


async def test_renewed_certificate_is_taken_up(tmp_path: Path) -> None:
    """A certificate replaced in its files serves new connections; a broken one is not taken up."""
    with secured(tmp_path) as (running, secrets):
        (tmp_path / "ca.pem").rename(tmp_path / "first.pem")
        secrets.issue()
        renewed = await connect(secrets.url(running.target))
        await renewed.append(fresh(), some(1), Expected.ANY)
        with pytest.raises(StoreUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
            await connect(secrets.url(running.target, ca="first.pem"))
        (tmp_path / "key.pem").write_text("half a ke")
        still = await connect(secrets.url(running.target))
        await still.append(fresh(), some(1), Expected.ANY)
        for store in (renewed, still):
            await store.close()
        assert "keeping the certificate in use" in running.complaints()


def ended(arguments: list[str], **settings: str) -> list[str]:
    """The lines that a process which cannot start leaves."""
    ran = subprocess.run(
        arguments, env=environ | settings, capture_output=True, text=True, timeout=30, check=False
    )
    assert ran.returncode == 1
    return ran.stderr.splitlines()


@pytest.mark.parametrize(
    ("password", "ca", "said"),
    [
        ("wrong", "ca.pem", "it does not accept this user and password"),
        (PASSWORD, "other.pem", "its certificate is vouched for by none of those in tlsCaFile"),
        (PASSWORD, "password", "tlsCaFile holds no certificate"),
        (PASSWORD, "missing.pem", "missing.pem"),
    ],
)
def test_who_starts_a_service_is_told_in_one_line(
    place: Place, tmp_path: Path, password: str, ca: str, said: str
) -> None:
    """A service with a wrong password or authority exits with one line, without the password."""
    running, secrets = place
    trustme.CA().cert_pem.write_to_path(secrets.folder / "other.pem")
    (line,) = ended(
        [sys.executable, "-m", "services.customers"],
        EQUILOOP_STORE=secrets.url(running.target, password, ca),
        EQUILOOP_DATA=str(tmp_path),
    )
    assert line.startswith("customers: ")
    assert said in line
    assert "wrong@" not in line


CERT, KEY = "EQUILOOP_EVENTSTORE_TLS_CERT", "EQUILOOP_EVENTSTORE_TLS_KEY"
NAME, WORD = "EQUILOOP_EVENTSTORE_USER", "EQUILOOP_EVENTSTORE_PASSWORD"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({CERT: "cert.pem"}, "belong together"),
        ({KEY: "key.pem"}, "belong together"),
        ({CERT: "missing.pem", KEY: "key.pem"}, "missing.pem and key .*: No such file"),
        ({CERT: "cert.pem", KEY: "cert.pem"}, "no TLS with certificate"),
        ({CERT: "ca.pem", KEY: "key.pem"}, "KEY_VALUES_MISMATCH"),
        ({CERT: "cert.pem", KEY: "locked.pem"}, "without a passphrase"),
        ({CERT: "cert.pem", KEY: "key.pem", NAME: "ops"}, "belong together"),
        ({CERT: "cert.pem", KEY: "key.pem", WORD: "s3cret"}, "belong together"),
        ({NAME: "ops", WORD: "s3cret"}, "needs TLS"),
        ({CERT: "cert.pem", KEY: "key.pem", NAME: "o:s", WORD: "s3cret"}, "colon"),
        ({NAME: "ops", WORD: "s3cret", WORD + "_FILE": "password"}, "one of them"),
        ({NAME: "ops", WORD + "_FILE": "missing"}, "missing"),
        ({NAME: "ops", WORD + "_FILE": "empty"}, "empty"),
    ],
)
def test_senseless_settings_are_refused(
    place: Place, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], said: str
) -> None:
    """What is no pair of key and certificate, or no safe password, is refused in one line."""
    folder = place[1].folder
    (folder / "empty").write_text("\n")
    (folder / "locked.pem").write_bytes(locked())
    monkeypatch.chdir(folder)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=said) as refusal:
        Settings().security()
    assert "\n" not in str(refusal.value)
    assert "s3cret" not in str(refusal.value)


def test_server_without_its_certificate_says_so(tmp_path: Path) -> None:
    """A server that cannot read its certificate exits with one line, and begins no log."""
    arguments, _ = command(tmp_path, 0)
    log = tmp_path / "log.db"
    url = f"sqlite:///{log}"
    settings = {CERT: f"{tmp_path}/missing.pem", KEY: f"{tmp_path}/key.pem"}
    (line,) = ended(arguments, EQUILOOP_EVENTSTORE_URL=url, **settings)
    assert line.startswith("eventstore: no TLS with certificate")
    assert not log.exists()


def locked() -> bytes:
    """A private key under a passphrase."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"sesame"),
    )
