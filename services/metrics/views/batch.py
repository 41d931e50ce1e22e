"""Columns of numpy as a table `batch` of DuckDB: how rows come and go by the thousand."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import duckdb
import numpy as np
import numpy.typing as npt
from google.protobuf.message import Message

from libs.projection import Fact

M = TypeVar("M", bound=Message)
Column = npt.NDArray[Any]


def of_type(facts: Sequence[Fact], kind: type[M]) -> tuple[list[int], list[M]]:
    """Answer positions and events of those facts that are of one type."""
    found = [fact for fact in facts if type(fact.event) is kind]
    return [fact.recorded.position for fact in found], [fact.event for fact in found]  # type: ignore[misc]


def text(values: Sequence[str]) -> Column:
    """Answer a column of text."""
    return np.array(values, dtype=object)


def integers(values: Sequence[int]) -> npt.NDArray[np.int64]:
    """Answer a column of whole numbers."""
    return np.array(values, dtype=np.int64)


def run(
    db: duckdb.DuckDBPyConnection,
    sql: str,
    batch: Mapping[str, Column] | None = None,
    parameters: Mapping[str, object] | None = None,
) -> dict[str, Column]:
    """Run one statement, in which `batch` is a table of these columns; answer its columns."""
    if batch is not None:
        db.register("batch", dict(batch))
    answer: dict[str, Column] = db.execute(sql, parameters).fetchnumpy()
    if batch is not None:
        db.unregister("batch")
    return answer


def first(
    db: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, object] | None = None
) -> tuple[Any, ...] | None:
    """Run one statement and answer its first row; a result must be read to its end."""
    rows = db.execute(sql, parameters).fetchall()
    return rows[0] if rows else None
