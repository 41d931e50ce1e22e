"""The metrics service as a real process, on a log into which the test writes what happened."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

from equiloop.customers.v1 import events_pb2 as customers
from equiloop.metrics.v1 import events_pb2 as events
from equiloop.metrics.v1 import service_pb2 as api
from equiloop.metrics.v1.service_pb2_grpc import MetricsServiceStub
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from deploy.demo import cdnow
from deploy.local.settings import LocalSettings, on_free_ports
from libs.contract.events import CODEC
from libs.decider import Request
from libs.eventstore.connect import connect
from libs.eventstore.port import Append, Appended, Expected
from libs.kernel.money import to_message
from libs.kernel.values import derived_id, id_of, timestamp
from tests.system.services.processes import Services

_AT_ONCE = 1000

LAST_DAY = timestamp(datetime.combine(cdnow.LAST_DAY, time(), UTC))
"""As of when the published row speaks."""

LIMIT = to_message(4_200_00, "USD")
"""Between what the tenth and the eleventh biggest spender spent: 4,234.45 and 4,185.10."""


class Metrics(Services):
    """The metrics service alone, and a stub that reaches it."""

    def __init__(self, settings: LocalSettings, stack: ExitStack) -> None:
        super().__init__(settings, stack)
        self.metrics = MetricsServiceStub(self._channel("metrics"))

    def record(self, happened: Iterable[Message]) -> tuple[tuple[str, str]]:
        """Append events; answer the metadata of a question that shall see them."""
        position = asyncio.run(_append(self.settings.store_url, list(happened)))
        return (("equiloop-min-position", str(position)),)


async def _append(url: str, happened: list[Message]) -> int:
    store = await connect(url)
    for start in range(0, len(happened), _AT_ONCE):
        appends = []
        for event in happened[start : start + _AT_ONCE]:
            request = Request()
            new = CODEC.encode([event], request.id, request.metadata())
            appends.append(Append(_stream(event), new, Expected.ANY))
        for answer in await store.append_batch(appends):
            assert isinstance(answer, Appended), answer
    position = await store.head()
    await store.close()
    return position


def _stream(event: Message) -> str:
    """Answer the stream that the contract keeps an event in."""
    for category in ("transaction", "model", "customer"):
        name: str = getattr(event, category, "")
        if name:
            return f"{category}-{id_of(name)}"
    return "equitypolicy-default"


@contextmanager
def running(directory: Path) -> Iterator[Metrics]:
    """Start the service on a log of its own in ``directory``."""
    directory.joinpath("data").mkdir()
    settings = on_free_ports(store="", data=directory / "data", logs=directory)
    with ExitStack() as stack:
        metrics = Metrics(settings, stack)
        stack.callback(metrics.stop_all)
        metrics.start("metrics")
        yield metrics


def cdnow_history() -> Iterator[Message]:
    """All purchases of the CDNOW cohort; who is in its sample is registered so."""
    for customer in sorted({purchase.customer for purchase in cdnow.read_sample()}):
        yield customers.CustomerRegistered(
            event_time=LAST_DAY, customer=f"customers/{customer:05d}", cohort="sample"
        )
    for number, purchase in enumerate(cdnow.read_master()):
        yield customers.TransactionRecorded(
            event_time=LAST_DAY,
            transaction=f"transactions/{derived_id('transaction', 'cdnow', str(number))}",
            customer=f"customers/{purchase.customer:05d}",
            amount=to_message(purchase.cents, "USD"),
            purchase_time=timestamp(datetime.combine(purchase.day, time(12), UTC)),
            quantity=purchase.quantity,
            source="cdnow",
            source_id=str(number),
        )


def fit_request(
    kind: events.ModelKind.ValueType, as_of: Timestamp = LAST_DAY, request_id: str = ""
) -> api.FitModelRequest:
    """Ask for a fit on the sample of CDNOW."""
    return api.FitModelRequest(
        kind=kind, cohort="sample", as_of=as_of, currency_code="USD", request_id=request_id
    )


def policy_request(**fields: Any) -> api.SetEquityPolicyRequest:
    """Ask for the policy of the published row."""
    usual: dict[str, Any] = {
        "margin": 0.30,
        "annual_discount_rate": 0.15,
        "currency_code": "USD",
        "spend_limit": LIMIT,
    }
    return api.SetEquityPolicyRequest(**{**usual, **fields})
