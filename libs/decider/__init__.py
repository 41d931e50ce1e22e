"""Load, fold, decide, append: how a command becomes events, whatever the aggregate."""

from libs.decider.aggregate import Aggregate
from libs.decider.decider import Attempt, Decider, Handled
from libs.decider.known import Known
from libs.decider.request import Request

__all__ = ["Aggregate", "Attempt", "Decider", "Handled", "Known", "Request"]
