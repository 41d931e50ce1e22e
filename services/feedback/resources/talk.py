"""State → resource: conversations and their turns as the contract shows them."""

from collections.abc import AsyncIterator

from equiloop.feedback.v1 import conversation_events_pb2 as events
from equiloop.feedback.v1 import conversation_service_pb2 as api

from libs.contract.events import CODEC
from libs.decider import Handled
from libs.eventstore.port import EventStore
from libs.kernel.values import id_of
from services.feedback.domain.conversation import Conversation, Said

_KIND = {
    events.InformationRequested: api.TURN_KIND_REQUEST,
    events.InformationGiven: api.TURN_KIND_INFORMATION,
}


def conversation(name: str, handled: Handled[Conversation]) -> api.Conversation:
    """Answer a conversation without its turns."""
    state = handled.state
    assert state.last is not None
    return api.Conversation(
        name=name,
        customer=state.customer,
        received_count=state.received,
        sent_count=state.count - state.received,
        open_requests=[
            f"{name}/turns/{number}" for number in state.asked if number not in state.given
        ],
        create_time=state.since,
        update_time=state.last.event_time,
        etag=str(handled.revision),
    )


def turn(
    event: events.MessageSent
    | events.MessageReceived
    | events.InformationRequested
    | events.InformationGiven,
) -> api.ConversationTurn:
    """Answer one turn, with its words."""
    return api.ConversationTurn(
        name=event.turn.turn,
        kind=_KIND.get(type(event), api.TURN_KIND_MESSAGE),
        said=event.turn,
        request=event.request if isinstance(event, events.InformationGiven) else "",
        create_time=event.event_time,
    )


async def turn_said(
    store: EventStore, command: Said, handled: Handled[Conversation]
) -> api.ConversationTurn:
    """Answer the turn that came of ``command``, or had come of it before."""
    state = handled.state
    assert state.last is not None
    source = (command.source or "", command.source_id or "")
    number = state.sourced[source].number if command.source else state.count
    if number == state.count:
        return turn(state.last)
    found = [each async for each in turns(store, command.conversation, number - 1, 1)]
    return found[0]


async def turns(
    store: EventStore, conversation: str, after: int, limit: int
) -> AsyncIterator[api.ConversationTurn]:
    """Answer turns after the ``after``-th, as they were recorded: the n-th is at revision n - 1."""
    stream = f"conversation-{id_of(conversation)}"
    async for batch in store.read_stream(stream, start=after, limit=limit):
        for recorded in batch.events:
            event = CODEC.decode(recorded)
            assert isinstance(
                event,
                events.MessageSent
                | events.MessageReceived
                | events.InformationRequested
                | events.InformationGiven,
            )
            yield turn(event)
