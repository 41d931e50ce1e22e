"""The command line: what it answers, where it complains, and how it ends."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from libs.eventstore.connect import upkeep
from libs.eventstore.sqlite.file import Patience, open_writer
from services.eventstore import cli
from services.eventstore.progress import Meter
from services.eventstore.settings import Settings
from tests.contract.eventstore_upkeep.scene import damage, names

COMMAND = [sys.executable, "-m", "services.eventstore"]


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """A command of a process handles SIGTERM; here it is a test that goes on."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def run(*arguments: object, served: list[str] | None = None) -> int:
    """Do a command in this process; ``served`` learns which log would be served."""

    def serve(settings: Settings) -> None:
        (served if served is not None else []).append(settings.eventstore_url)

    return cli.main([str(part) for part in arguments], serve, upkeep, lambda: {"Noted"})


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Answer the JSON on standard output; nothing else may have been said."""
    out, err = capsys.readouterr()
    assert err == ""
    answer: dict[str, Any] = json.loads(out)
    return answer


def test_backup_check_and_restore(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A backup tells its position, a check that it is sound, a restore where the old log went."""
    copy = tmp_path / "copy.db"
    assert run("backup", "--store", log, copy) == 0
    assert f"{copy}: whole up to position 47, " in capsys.readouterr().out
    assert run("--store", f"sqlite:///{copy}", "check") == 0
    assert "sound; 47 events in 5 streams, up to position 47" in capsys.readouterr().out
    assert run("restore", "--store", log, copy, "--replace") == 0
    out = capsys.readouterr().out
    assert f"{log}: restored up to position 47\nthe log that was there: {log}.replaced-" in out
    assert "Remove the read models that have seen more than position 47" in out


def test_answers_are_json_on_request(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every command answers programs, too."""
    copy = tmp_path / "copy.db"
    assert run("backup", "--store", log, "--json", copy) == 0
    backup = said(capsys)
    assert (backup["path"], backup["position"], backup["checked"]) == (str(copy), 47, True)
    assert run("restore", "--store", log, "--json", "--replace", copy) == 0
    assert said(capsys)["aside"].startswith(f"{log}.replaced-")
    damage(log, "DELETE FROM log WHERE position = 43")
    assert run("check", "--store", log, "--json") == 1
    found = said(capsys)
    assert (found["sound"], found["flaws"], found["unknown_types"]) == (False, 1, {"Paid": 2})
    assert found["findings"] == [
        {
            "flaw": "position",
            "what": "position 43 is missing before it",
            "stream": "order-2",
            "revision": 0,
            "position": 44,
            "harmless": False,
        }
    ]


def test_stats(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the log holds is told by type, by category and by stream, for people and programs."""
    assert run("stats", "--store", log, "--json", "--top", 2) == 0
    stats = said(capsys)
    governing = len('{"by": "me", "$maxCount": 5}')
    payload = 40 * 2017 + 6 * 19 + governing
    assert (stats["position"], stats["events"], stats["streams"]) == (47, 47, 5)
    assert (stats["deleted"], stats["tombstoned"], stats["payload"]) == (1, 1, payload)
    assert stats["file"] == log.stat().st_size
    assert stats["first_recorded"] <= stats["last_recorded"]
    assert [(t["name"], t["events"]) for t in stats["types"]] == [
        ("Noted", 44),
        ("Paid", 2),
        ("$metadata", 1),
    ]
    assert stats["categories"] == [
        {"name": "long", "events": 40, "bytes": 40 * 2017},
        {"name": "order", "events": 5, "bytes": 5 * 19},
        {"name": "$$order", "events": 1, "bytes": governing},
        {"name": "gone", "events": 1, "bytes": 19},
    ]
    assert [(t["name"], t["events"]) for t in stats["largest"]] == [("long", 40), ("order-1", 3)]
    assert run("stats", "--store", log) == 0
    out = capsys.readouterr().out
    assert "streams   5, 1 deleted, 1 tombstoned\n" in out
    assert "payload   78.9 KiB\n" in out
    assert "           5        95 B  order\n" in out


def test_stats_of_an_empty_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A log without events has nothing, and says so."""
    open_writer(tmp_path / "log.db", Patience(1)).close()
    assert run("stats", "--store", tmp_path / "log.db") == 0
    assert "recorded  nothing yet" in capsys.readouterr().out


def test_flaws_are_named_and_decide_the_exit_code(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A log that is not sound: `check` ends with 1, and a backup of it names the flaws, too."""
    damage(log, "UPDATE log SET id = CAST(position AS BLOB) WHERE position > 43")
    line = "id: stream 'order-2', revision 0, position 44: its id has 2 bytes, not 16"
    assert run("check", "--store", log, "--limit", 1) == 1
    out, err = capsys.readouterr()
    assert line in out
    assert "… and 3 more" in out
    assert "NOT SOUND: 4 flaws; 47 events" in out
    assert err == ""
    assert run("backup", "--store", log, tmp_path) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert line in err


@pytest.mark.parametrize(
    ("arguments", "ending"),
    [
        (["check", "--store", "{0}/none.db"], (2, "there is no log at ")),
        (["check", "--store", "kurrentdb://there:2113"], (2, "names a server")),
        (["stats", "--store", "{0}/none.db"], (1, "there is no log at ")),
        (["stats", "--store", "postgres://there"], (1, "no event store for")),
        (
            ["backup", "--store", "{0}/live/log.db", "{0}/taken"],
            (1, "already; see --replace"),
        ),
        (["backup", "--store", "{0}/live/log.db", "{0}/no/where"], (1, "cannot write to ")),
        (
            ["restore", "--store", "{0}/live/log.db", "{0}/taken"],
            (1, "already; see --replace"),
        ),
        (["restore", "--store", "{0}/new.db", "{0}/none.db"], (1, "there is no log at ")),
    ],
)
def test_failures_are_told_in_one_line(
    log: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    ending: tuple[int, str],
) -> None:
    """What failed is said on standard error, in a line, and by the exit code."""
    (tmp_path / "taken").touch()
    assert run(*(part.format(tmp_path) for part in arguments)) == ending[0]
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("eventstore: ")
    assert ending[1] in line


@pytest.mark.parametrize("arguments", [["check", "--limit", "-1"], ["backup"], ["burn"]])
def test_wrong_usage_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Who writes what there is not is told how to use it."""
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    assert ended.value.code == 2
    assert "usage: python -m services.eventstore" in capsys.readouterr().err


@pytest.mark.parametrize("command", [[], ["serve"]])
def test_serving_is_what_is_done_unasked(command: list[str]) -> None:
    """Without a command the log is served; the environment names it, or the option."""
    served: list[str] = []
    assert run(*command, served=served) == 0
    assert run(*command, "--store", "other.db", served=served) == 0
    assert served == [Settings().eventstore_url, "sqlite:///other.db"]


def test_it_runs_as_a_process(log: Path, tmp_path: Path) -> None:
    """As a process it finds the log in its environment and knows the types of this release."""
    environment = os.environ | {"EQUILOOP_EVENTSTORE_URL": f"sqlite:///{log}"}
    checked = subprocess.run(
        [*COMMAND, "check"], env=environment, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.splitlines() == [
        "remark: 46 events of types unknown here: Noted, Paid",
        "sound; 47 events in 5 streams, up to position 47",
    ]


def test_asked_to_stop_a_backup_leaves_nothing(log: Path, tmp_path: Path) -> None:
    """SIGTERM in the middle of a backup removes what there is of it, and ends with 143."""
    script = (
        "import os, signal, sys\n"
        "from services.eventstore import cli, progress\n"
        "from libs.eventstore.connect import upkeep\n"
        "progress.Meter.__call__ = lambda *_: os.kill(os.getpid(), signal.SIGTERM)\n"
        "sys.exit(cli.main(sys.argv[1:], print, upkeep, set))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, "backup", "--store", str(log), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (143, "eventstore: terminated\n")
    assert names(tmp_path) == ["live"]


class Terminal(list[str]):
    """What is written to a terminal."""

    def write(self, text: str) -> int:
        """Keep it."""
        self.append(text)
        return len(text)

    def flush(self) -> None:
        """There is nothing to flush."""


def test_progress_is_shown_on_a_terminal_and_goes_away() -> None:
    """A bar where the end is known, a sign of life where it is not; nothing remains of it."""
    screen, hidden = Terminal(), Terminal()
    with Meter(screen, shown=True) as meter:  # type: ignore[arg-type]
        meter("copying", 50, 100)
        meter._last = 0
        meter("file", 7, 0)
    assert [text.removeprefix("\r\x1b[K") for text in screen] == [
        f"copying    [{'#' * 15}{' ' * 15}]  50 %",
        f"file       [{' ' * 7}###{' ' * 20}]",
        "",
    ]
    with Meter(hidden, shown=False) as meter:  # type: ignore[arg-type]
        meter("copying", 50, 100)
    assert hidden == []
