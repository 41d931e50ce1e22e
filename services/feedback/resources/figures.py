"""Figures → resources: themes, causes and scores as the contract shows them."""

from collections.abc import Callable, Iterable, Sequence

from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import service_pb2 as api

from services.feedback.funnel.figures import Tally, Themes
from services.feedback.funnel.scores import Counts, Figure, ces, csat, nps


def theme_index(counted: Themes, most: int) -> api.ThemeIndex:
    """Answer the ``most`` frequent themes, each as a whole and by coder."""
    whole = {theme: _sum(coders.values()) for theme, coders in counted.by_coder.items()}
    order = sorted(whole, key=lambda theme: (-whole[theme].items, theme))
    return api.ThemeIndex(
        themes=[
            api.IndexedTheme(
                theme=theme,
                feedback_count=whole[theme].items,
                sentiment_mean=whole[theme].mean,
                sentiment_count=whole[theme].feeling,
                coders=[
                    api.ThemeByCoder(
                        coder=events.Coder(name=name, version=version),
                        feedback_count=tally.items,
                        sentiment_mean=tally.mean,
                        sentiment_count=tally.feeling,
                    )
                    for (name, version), tally in sorted(counted.by_coder[theme].items())
                ],
            )
            for theme in order[:most]
        ],
        total_size=len(order),
        received_count=counted.received,
        coded_count=counted.coded,
    )


def _sum(tallies: Iterable[Tally]) -> Tally:
    whole = Tally()
    for tally in tallies:
        whole.add(tally)
    return whole


def cause_pareto(counts: Sequence[int]) -> api.CausePareto:
    """Answer causes by how often they were found; ``counts`` are by cause, 0: none was."""
    received, classified = sum(counts), sum(counts[1:])
    answer = api.CausePareto(
        received_count=received,
        classified_count=classified,
        unclassified_count=received - classified,
    )
    before = 0
    for cause in sorted(range(1, len(counts)), key=lambda cause: (-counts[cause], cause)):
        if counts[cause]:
            before += counts[cause]
            answer.causes.add(
                cause=events.Cause.ValueType(cause),
                feedback_count=counts[cause],
                share=counts[cause] / classified,
                cumulative_share=before / classified,
            )
    return answer


def score_summary(counts: dict[int, dict[int, int]]) -> api.ScoreSummary:
    """Answer the three scores; ``counts`` are by scale and value."""
    return api.ScoreSummary(
        nps=_score(nps, counts.get(events.SCORE_SCALE_NPS, {})),
        csat=_score(csat, counts.get(events.SCORE_SCALE_CSAT, {})),
        ces=_score(ces, counts.get(events.SCORE_SCALE_CES, {})),
    )


def _score(compute: Callable[[Counts], Figure], counts: Counts) -> api.ScoreFigures:
    value, error = compute(counts)
    return api.ScoreFigures(
        value=value,
        standard_error=error,
        count=sum(counts.values()),
        counts=[api.ScoreCount(value=each, count=n) for each, n in sorted(counts.items())],
    )
