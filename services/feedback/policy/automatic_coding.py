"""FeedbackReceived → a coding by the model, where it has something to say before anybody else."""

import logging
from collections.abc import Sequence
from functools import partial
from uuid import uuid5

from equiloop.feedback.v1 import events_pb2 as events
from google.protobuf.message import Message

from libs.contract.metadata import Metadata
from libs.decider import Attempt, Decider, Request
from libs.eventstore.port import RecordedEvent, StoreError
from libs.kernel.refusals import Refusal
from libs.kernel.values import id_of
from libs.projection import Fact
from libs.projection.reactor import TryAgain
from services.feedback.coding.automatic import Automatic
from services.feedback.domain import feedback
from services.feedback.domain.intake import CodeByModel
from services.feedback.service.means import FEEDBACK

log = logging.getLogger(__name__)


class AutomaticCoding:
    """Codes what comes in, a batch at a time."""

    handles: frozenset[type[Message]] = frozenset({events.FeedbackReceived})

    def __init__(self, decider: Decider, automatic: Automatic) -> None:
        """Code as ``automatic`` says."""
        self._decider, self._automatic = decider, automatic

    async def react(self, facts: Sequence[Fact]) -> None:
        """Code all of ``facts``. Raises TryAgain when the store would not take it now."""
        received = [fact.event for fact in facts if isinstance(fact.event, events.FeedbackReceived)]
        commands = await self._automatic.code(received, anew=False)
        attempts = [
            _attempt(fact.recorded, command)
            for fact, command in zip(facts, commands, strict=True)
            if not command.silent
        ]
        for attempt, outcome in zip(
            attempts, await self._decider.handle_new(FEEDBACK, attempts), strict=True
        ):
            if isinstance(outcome, StoreError):
                raise TryAgain(str(outcome)) from outcome
            if isinstance(outcome, Refusal):  # it will be so however often we ask
                log.error("feedback/%s is not coded: %s", attempt.key, outcome)


def _attempt(recorded: RecordedEvent, command: CodeByModel) -> Attempt[feedback.Feedback]:
    decide = partial(feedback.decide, command)
    return Attempt(id_of(command.name), decide, _request(recorded, command), begun=recorded)


def _request(recorded: RecordedEvent, command: CodeByModel) -> Request:
    """Answer the request that an event makes: the same event, model and rules, the same request."""
    by = f"{command.coder.name}/{command.coder.version}/{command.rules_version}"
    beside = Metadata.load(recorded.metadata)
    return Request(
        uuid5(recorded.id, f"CodeFeedback/{by}"),
        correlation_id=beside.correlation_id if beside else "",
        causation_id=str(recorded.id),
        traceparent=beside.traceparent if beside else "",
    )
