"""Every event type of the system, whichever context it belongs to."""

from equiloop.customers.v1 import events_pb2 as customers
from equiloop.customers.v1 import organisation_events_pb2 as organisation
from equiloop.feedback.v1 import community_events_pb2 as community
from equiloop.feedback.v1 import conversation_events_pb2 as conversation
from equiloop.feedback.v1 import events_pb2 as feedback
from equiloop.feedback.v1 import market_events_pb2 as market
from equiloop.feedback.v1 import routing_events_pb2 as routing
from equiloop.metrics.v1 import events_pb2 as metrics
from equiloop.offers.v1 import events_pb2 as offers

from libs.contract.codec import Codec

CODEC = Codec(
    customers, organisation, feedback, market, conversation, community, routing, offers, metrics
)
"""Knows them all."""
