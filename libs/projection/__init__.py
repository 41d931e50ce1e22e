"""Read models: the log folded into rows, rows and checkpoint in one transaction."""

from libs.projection.database import Database, Fact
from libs.projection.runner import Poisoned, Projection, rebuild
from libs.projection.view import Folds, View, fold_each

__all__ = ["Database", "Fact", "Folds", "Poisoned", "Projection", "View", "fold_each", "rebuild"]
