"""What may be asked about conversations."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from libs.kernel.values import Command, CustomerName, Instant, Label
from services.feedback.domain.conversation import ConversationName
from services.feedback.questions import ChannelNumber, Span


class OneConversation(Command):
    """A conversation by its name."""

    name: ConversationName


class TurnsAsked(Command):
    """The turns of a conversation."""

    parent: ConversationName


class ConversationsAsked(Command):
    """Conversations with one customer; None: with any."""

    customer: CustomerName | None = None


class RatioAsked(Span):
    """Turns said in a span, with customers in a segment, on a channel: whichever are named."""

    segment: Label | None = None
    channel: ChannelNumber | None = None


class ResponsesAsked(RatioAsked):
    """The same, seen as of an instant; ``within`` is what an answer shall take at most."""

    as_of: Instant | None = None
    within: Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(days=3660))] | None = None
