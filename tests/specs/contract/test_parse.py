"""A request is parsed once: into a command, or into every violation with its path."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import pytest
from equiloop.customers.v1 import service_pb2 as customers_api
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import market_service_pb2 as market
from equiloop.feedback.v1 import service_pb2 as api
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money as MoneyMessage
from pydantic import BaseModel, Field, model_validator

from libs.contract.parse import parse
from libs.kernel.money import Money
from libs.kernel.refusals import FieldError, Invalid

THEN, NEVER = Timestamp(seconds=1), Timestamp(seconds=1 << 60)


class Purchase(BaseModel):
    amount: Money
    purchase_time: datetime


class Purchases(BaseModel):
    transactions: list[Purchase]


class Score(BaseModel):
    scale: int
    value: Annotated[int, Field(le=10)] = 0

    @model_validator(mode="after")
    def _odd(self) -> "Score":
        if self.value % 2 == 0:
            raise FieldError("value", "must be odd")
        return self


class Said(BaseModel):
    channel: int
    text: str = ""
    score: Score | None = None
    receive_time: datetime | None = None


class Promise(BaseModel):
    feedback: list[str] = []
    due_date: date | None = None


class Term(BaseModel):
    every: timedelta


def violations(model: type[BaseModel], message: object, **more: object) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        parse(model, message, **more)  # type: ignore[arg-type]
    found = {violation.field: violation.description for violation in caught.value.violations}
    assert len(found) == len(caught.value.violations), "a field is named twice"
    return found


def test_a_message_becomes_a_command() -> None:
    """Scalars, enums, nested messages, times, spans and dates arrive as Python's own."""
    request = api.RecordFeedbackRequest(
        channel=events.CHANNEL_PHONE,
        text="dies",
        score=events.Score(scale=events.SCORE_SCALE_NPS, value=3),
        receive_time=Timestamp(seconds=1, nanos=500_000_000),
    )
    assert parse(Said, request) == Said(
        channel=3,
        text="dies",
        score=Score(scale=1, value=3),
        receive_time=datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC),
    )
    promise = api.CommitActionRequest(
        feedback=["feedback/1"], due_date=Date(year=2024, month=2, day=29)
    )
    assert parse(Promise, promise) == Promise(feedback=["feedback/1"], due_date=date(2024, 2, 29))
    assert parse(Term, market.SetDigestScheduleRequest(every=Duration(seconds=90))) == Term(
        every=timedelta(seconds=90)
    )


def test_a_span_that_there_is_not_is_named() -> None:
    """A span of more days than Python counts is a violation of its field."""
    asked = market.SetDigestScheduleRequest(every=Duration(seconds=1 << 60))
    assert violations(Term, asked).keys() == {"every"}


def test_what_is_not_set_is_left_to_the_command() -> None:
    """An absent field takes the command's default, or is named as required."""
    assert parse(Said, api.RecordFeedbackRequest(channel=events.CHANNEL_WEB)).receive_time is None
    assert violations(Said, api.RecordFeedbackRequest()) == {"channel": "Field required"}


def test_what_is_given_beside_the_message_counts() -> None:
    """A field that the caller derives replaces or adds to what the message says."""
    assert (
        parse(Said, api.RecordFeedbackRequest(channel=events.CHANNEL_WEB), text="more").text
        == "more"
    )


def test_every_violation_is_named_at_once() -> None:
    """A time out of range hides neither a missing channel nor a wrong score."""
    request = api.RecordFeedbackRequest(
        receive_time=NEVER, score=events.Score(scale=events.SCORE_SCALE_NPS, value=11)
    )
    found = violations(Said, request)
    assert found.keys() == {"receive_time", "channel", "score.value"}
    assert "range" in found["receive_time"]


def test_a_rule_over_several_fields_names_the_one_to_mend() -> None:
    """What a nested model refuses as a whole is told of its field, by the whole path."""
    request = api.RecordFeedbackRequest(
        channel=events.CHANNEL_WEB, score=events.Score(scale=events.SCORE_SCALE_NPS, value=2)
    )
    assert violations(Said, request) == {"score.value": "must be odd"}


def test_paths_lead_into_lists() -> None:
    """Each wrong field of each item is named with the item's index, and once."""
    item = customers_api.TransactionItem
    request = customers_api.ImportTransactionsRequest(
        transactions=[
            item(amount=MoneyMessage(currency_code="EUR", units=1), purchase_time=THEN),
            item(amount=MoneyMessage(currency_code="EUR", nanos=5), purchase_time=NEVER),
            item(purchase_time=THEN),
        ]
    )
    found = violations(Purchases, request)
    assert found.keys() == {
        "transactions[1].amount",
        "transactions[1].purchase_time",
        "transactions[2].amount",
    }
    assert found["transactions[1].amount"] == "EUR has 2 decimals; the amount has more"


@pytest.mark.parametrize(
    "day", [Date(year=2023, month=2, day=29), Date(year=2024), Date(month=5, day=1)], ids=str
)
def test_a_day_is_a_whole_day(day: Date) -> None:
    """A date that the calendar does not have, or that is not a whole date, is refused."""
    assert violations(Promise, api.CommitActionRequest(due_date=day)).keys() == {"due_date"}


def test_the_envelope_is_read_with_its_content() -> None:
    """A malformed request id, etag and page size are named together with what they wrap."""

    class Named(BaseModel):
        name: Annotated[str, Field(min_length=1)]

    request = api.CompleteActionRequest(request_id="7", etag="x")
    assert violations(Named, request).keys() == {"request_id", "etag", "name"}
    listing = api.ListFeedbackRequest(page_size=-1)
    assert violations(Named, listing).keys() == {"page_size", "name"}


def test_a_request_id_that_is_not_looked_at_is_not_looked_at() -> None:
    """An item of an import may carry any request id if the caller says so."""
    request = api.RecordFeedbackRequest(channel=events.CHANNEL_WEB, request_id="7")
    assert parse(Said, request, request_id=None).channel == 1
