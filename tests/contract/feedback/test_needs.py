"""Needs as callers meet them."""

from equiloop.feedback.v1 import market_events_pb2 as events
from equiloop.feedback.v1 import market_service_pb2 as api
from grpc import StatusCode

from tests.contract.chassis.serving import refused
from tests.contract.feedback.desk import Desk, day, names
from tests.contract.feedback.market import identify, reject, validate

FIRST = "8a2c4a3e-8d0f-4d0c-9a5e-6a5d5f1f0b01"


async def test_a_need_is_answered_as_it_was_identified(desk: Desk) -> None:
    """Everything said is answered, with state, etag and times; and found again."""
    one, two = sorted([(await desk.record("7")).name for _ in range(2)])
    seen = await identify(desk.at(1), two, one, description="from dawn to dusk")
    assert seen == api.Need(
        name=seen.name,
        title="a day without a socket",
        description="from dawn to dusk",
        feedback=[one, two],
        state=api.NEED_STATE_IDENTIFIED,
        identified_by="people/7",
        create_time=day(1),
        update_time=day(1),
        etag="0",
    )
    assert await desk.market.GetNeed(api.GetNeedRequest(name=seen.name)) == seen


async def test_the_latest_judgement_counts(desk: Desk) -> None:
    """Validated, rejected, validated anew: state, method, evidence and judge are the last ones."""
    need = await identify(desk, (await desk.record("7")).name)
    found = await validate(desk.at(1), need.name, etag="0")
    assert (found.state, found.method, found.evidence, found.judged_by, found.update_time) == (
        api.NEED_STATE_VALIDATED,
        events.VALIDATION_METHOD_INTERVIEWS,
        "14 of 20 said so unasked",
        "people/8",
        day(1),
    )
    lost = await reject(desk, need.name)
    assert (lost.state, lost.method, lost.evidence) == (
        api.NEED_STATE_REJECTED,
        events.VALIDATION_METHOD_UNSPECIFIED,
        "2 of 20 said so",
    )
    assert (await refused(reject(desk, need.name))).info.reason == "NEED_REJECTED"
    assert (await validate(desk, need.name)).state == api.NEED_STATE_VALIDATED
    assert (await names(desk.store))[1:] == [
        "NeedIdentified",
        "NeedValidated",
        "NeedRejected",
        "NeedValidated",
    ]


async def test_evidence_gathers(desk: Desk) -> None:
    """More feedback is added once; unknown feedback is refused by name, in its field."""
    one, two = sorted([(await desk.record("7")).name for _ in range(2)])
    need = await identify(desk, one)
    request = api.AddNeedEvidenceRequest(name=need.name, feedback=[one, two], by="people/8")
    more = await desk.market.AddNeedEvidence(request)
    assert (list(more.feedback), more.etag) == ([one, two], "1")
    assert (await desk.market.AddNeedEvidence(request)).etag == "1"
    request.feedback.append("feedback/nobody")
    answer = await refused(desk.market.AddNeedEvidence(request))
    assert (answer.code, dict(answer.info.metadata)) == (
        StatusCode.NOT_FOUND,
        {"resource": "feedback/nobody", "field": "feedback"},
    )
    answer = await refused(identify(desk, "feedback/nobody"))
    assert answer.code is StatusCode.NOT_FOUND


async def test_needs_that_are_not_there(desk: Desk) -> None:
    """An unknown need is NOT_FOUND to all that is asked of it, a stale etag ABORTED."""
    for call in (validate, reject):
        assert (await refused(call(desk, "needs/none"))).code is StatusCode.NOT_FOUND
    get = desk.market.GetNeed(api.GetNeedRequest(name="needs/none"))
    assert (await refused(get)).code is StatusCode.NOT_FOUND
    need = await identify(desk, (await desk.record("7")).name)
    assert (await refused(reject(desk, need.name, etag="7"))).code is StatusCode.ABORTED


async def test_a_need_identified_again_by_the_same_request_is_one(desk: Desk) -> None:
    """The same request id gives the need as it was identified; with other content it is refused."""
    said = (await desk.record("7")).name
    first = await identify(desk, said, request_id=FIRST)
    await validate(desk, first.name)
    assert await identify(desk, said, request_id=FIRST) == first
    answer = await refused(identify(desk, said, request_id=FIRST, title="another"))
    assert answer.code is StatusCode.ALREADY_EXISTS


async def test_every_wrong_field_of_a_need_is_named(desk: Desk) -> None:
    """Title, feedback, who and request id are each named, all at once."""
    answer = await refused(identify(desk, "needs/1", title=" ", by="me", request_id="one"))
    assert answer.fields.keys() == {"title", "feedback[0]", "by", "request_id"}
