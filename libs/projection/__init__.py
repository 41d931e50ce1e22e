"""Read models: the log folded into rows, rows and checkpoint in one transaction."""

from libs.projection.database import Database, Fact
from libs.projection.runner import Lagging, Projection, rebuild
from libs.projection.view import View, fold_each

__all__ = ["Database", "Fact", "Lagging", "Projection", "View", "fold_each", "rebuild"]
