"""Reactions: an event seen, or an instant that has come → a command of our own; a module each."""

from pathlib import Path
from typing import Any

from libs.contract.events import CODEC
from libs.projection import Projection
from libs.projection.reactor import BulkReactor, Reactor
from libs.projection.sqlite import SqliteDatabase
from libs.projection.ticker import Ticker
from services.feedback.policy.automatic_coding import AutomaticCoding
from services.feedback.policy.loop_slas import LoopSlas
from services.feedback.policy.market_digests import MarketDigests
from services.feedback.policy.routing_rules import RoutingByRules
from services.feedback.service.means import Means


def reactors(means: Means, data: Path, *, coding: bool) -> list[Reactor]:
    """Answer what reacts to events, each with its checkpoint in a folder of its own in ``data``."""
    rules = RoutingByRules(means.decider)
    beside = SqliteDatabase(data / "feedback-routing-rules")
    name = "feedback-routing-rules"
    found = [Reactor(means.store, CODEC, beside, rules.handles, rules.react, name=name)]
    if coding:
        coder = AutomaticCoding(means.decider, means.automatic)
        beside = SqliteDatabase(data / "feedback-coding")
        react = (coder.handles, coder.react)
        found.append(BulkReactor(means.store, CODEC, beside, *react, name="feedback-coding"))
    return found


def tickers(means: Means, projection: Projection[Any]) -> list[Ticker]:
    """Answer what the clock drives, by views that ``projection`` keeps."""
    slas, digests = LoopSlas(means.decider, means.views), MarketDigests(means.digests)
    ticks = {"feedback-loop-slas": slas.tick, "feedback-market-digests": digests.tick}
    return [
        Ticker(tick, means.clock, means.store, [projection], name=name)
        for name, tick in ticks.items()
    ]
