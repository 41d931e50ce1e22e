"""The demo's report, for eyes: tables after the progress bars."""

from typing import Any

from rich.console import Console
from rich.table import Table


def show(report: dict[str, Any], console: Console) -> None:
    """Print the report."""
    console.print(_equity(report), _models(report), _funnel(report), _themes(report))
    console.print(_lineage(report["lineage"]))
    console.print(_seconds(report))


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", min_width=60)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    return table


def _equity(report: dict[str, Any]) -> Table:
    currency = report["currency"]
    table = _table("Customer equity, as of 1998-06-30", "", "customers", currency, "mean CLV")
    table.add_row(
        "all",
        f"{report['customers']:,}",
        f"{report['customer_equity']:,.2f}",
        f"{report['mean_clv']:,.2f}",
    )
    table.add_row(
        "without a repeat purchase",
        f"{report['customers_without_repeat']:,}",
        f"{report['equity_without_repeat']:,.2f}",
        f"{report['mean_clv_without_repeat']:,.2f}",
    )
    left_out = f"left out: spent over {report['spend_limit']:,.2f}"
    table.add_row(left_out, f"{report['customers_left_out']:,}", "", "")
    return table


def _models(report: dict[str, Any]) -> Table:
    table = _table("Models, fitted on the sample", "model", "parameters", "log-likelihood")
    for name, model in report["models"].items():
        parameters = (f"{key} {value:.4f}" for key, value in model.items() if key not in _OTHER)
        table.add_row(name, "  ".join(parameters), f"{model['log_likelihood']:,.3f}")
    return table


_OTHER = {"log_likelihood", "customers"}


def _funnel(report: dict[str, Any]) -> Table:
    funnel = report["feedback_to_action"]
    table = _table("Feedback to action (the feedback is an illustration)", "", "items", "share")
    for step in (
        "received",
        "linked",
        "committed",
        "completed",
        "declined",
        "told",
        "open",
        "reopened",
    ):
        table.add_row(step, f"{funnel[step]:,}", f"{funnel[step] / funnel['received']:.1%}")
    return table


_STEPS = ("received", "linked", "committed", "completed", "declined", "told", "open", "reopened")


def _themes(report: dict[str, Any]) -> Table:
    table = _table(
        "Themes at stake, first by equity and first by heads",
        "theme",
        report["currency"],
        "heads",
        "rank by equity",
        "rank by heads",
    )
    rows = {row["theme"]: row for row in (*report["themes_by_equity"], *report["themes_by_heads"])}
    for row in sorted(rows.values(), key=lambda row: row["rank_by_equity"]):
        table.add_row(
            row["theme"],
            f"{row['equity_at_stake']:,.2f}",
            f"{row['heads']:,}",
            str(row["rank_by_equity"]),
            str(row["rank_by_heads"]),
        )
    return table


def _lineage(lineage: dict[str, Any]) -> Table:
    table = Table(title=f"From words to worth: {lineage['words']!r}", title_justify="left")
    table.add_column("position", justify="right")
    table.add_column("part of the way")
    table.add_column("event")
    table.add_column("what happened")
    for step in lineage["steps"]:
        row = (str(step["position"]), step["stage"].lower(), step["event"], step["summary"])
        table.add_row(*row)
    return table


def _seconds(report: dict[str, Any]) -> Table:
    table = _table("Seconds", "phase", "s")
    for phase, seconds in report["seconds"].items():
        table.add_row(phase, f"{seconds:.1f}")
    return table
