"""What the commands answer, for people or as JSON."""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from libs.eventstore.upkeep import Copied, Examined, Finding, Statistics, Tally


def backup(copied: Copied, *, as_json: bool) -> str:
    """Say where the backup is, and how far it goes."""
    if as_json:
        return _json(asdict(copied))
    examined = "examined and sound" if copied.checked else "not examined"
    return (
        f"{copied.path}: whole up to position {copied.position}, {_bytes(copied.size)}, {examined}"
    )


def restore(copied: Copied, *, as_json: bool) -> str:
    """Say how far the log goes now, and where the one before it is."""
    if as_json:
        return _json(asdict(copied))
    lines = [f"{copied.path}: restored up to position {copied.position}"]
    if copied.aside:
        lines.append(f"the log that was there: {copied.aside}")
    lines.append(
        f"Remove the read models that have seen more than position {copied.position}: "
        "they are folded anew."
    )
    return "\n".join(lines)


def check(examined: Examined, known: Collection[str], *, as_json: bool) -> str:
    """Say whether the log is sound, and name what is not."""
    unknown = {
        kind: events
        for kind, events in examined.types.items()
        if kind not in known and not kind.startswith("$")
    }
    if as_json:
        found = [asdict(finding) for finding in examined.findings]
        counts = {"unknown_types": unknown, "findings": found, "sound": examined.sound}
        return _json(asdict(examined) | counts)
    lines = [findings(examined)] if examined.findings else []
    if unknown:
        kinds = ", ".join(unknown)
        lines.append(f"remark: {sum(unknown.values())} events of types unknown here: {kinds}")
    verdict = "sound" if examined.sound else f"NOT SOUND: {examined.flaws} flaws"
    lines.append(
        f"{verdict}; {examined.events} events in {examined.streams} streams, "
        f"up to position {examined.position}"
    )
    return "\n".join(lines)


def findings(examined: Examined) -> str:
    """Name what was found, a line each; say how many more there are."""
    lines = [_finding(finding) for finding in examined.findings]
    more = examined.flaws + examined.remarks - len(lines)
    return "\n".join([*lines, f"… and {more} more"] if more else lines)


def stats(statistics: Statistics, *, as_json: bool) -> str:
    """Say what a log holds."""
    if as_json:
        return _json(asdict(statistics))
    first, last = statistics.first_recorded, statistics.last_recorded
    ended = f"{statistics.deleted} deleted, {statistics.tombstoned} tombstoned"
    facts = [
        ("position", f"{statistics.position}"),
        ("events", f"{statistics.events}"),
        ("streams", f"{statistics.streams}, {ended}"),
        ("payload", _bytes(statistics.payload)),
        ("file", f"{_bytes(statistics.file)}, write-ahead log {_bytes(statistics.write_ahead)}"),
        (
            "recorded",
            f"{first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC"
            if first and last
            else "nothing yet",
        ),
    ]
    lines = [f"{name:<9} {value}" for name, value in facts]
    for title, tallies in (
        ("types", statistics.types),
        ("categories", statistics.categories),
        ("largest streams", statistics.largest),
    ):
        lines += _table(title, tallies)
    return "\n".join(lines)


def _finding(finding: Finding) -> str:
    return f"remark: {finding}" if finding.harmless else str(finding)


def _table(title: str, tallies: Sequence[Tally]) -> list[str]:
    rows = [f"{tally.events:>12}  {_bytes(tally.bytes):>10}  {tally.name}" for tally in tallies]
    return ["", f"{'events':>12}  {'payload':>10}  {title}", *rows] if rows else []


def _bytes(size: int) -> str:
    if size < 1024:
        return f"{size} B"
    power = min((size.bit_length() - 1) // 10, 4)
    return f"{size / 1024**power:.1f} {'KMGT'[power - 1]}iB"


def _json(value: object) -> str:
    return json.dumps(value, default=_plain, ensure_ascii=False, indent=2)


def _plain(value: object) -> str:
    match value:
        case datetime():
            return value.isoformat()
        case Path():
            return str(value)
        case _:
            raise TypeError(value)
