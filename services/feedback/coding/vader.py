"""Sentiment by VADER (Hutto & Gilbert 2014), themes by the organisation's rules: the default coder.

VADER knows English. Of words in other languages, or in one that nobody knows, it says nothing.
"""

import asyncio
from collections.abc import Sequence
from importlib.metadata import version

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from services.feedback.coding.port import Proposal, Said
from services.feedback.domain.intake import MAX_THEMES
from services.feedback.domain.intake import Coder as Identity
from services.feedback.domain.theme_rules import Matcher

_TURN = 32
"""Texts coded in one turn of the event loop: a few milliseconds."""


class Vader:
    """Codes by a lexicon and by rules: the same words, the same coding."""

    def __init__(self) -> None:
        """Read the lexicon."""
        self.identity = Identity(name="vader", version=version("vaderSentiment"))
        self._analyzer = SentimentIntensityAnalyzer()

    async def propose(self, said: Sequence[Said], rules: Matcher) -> list[Proposal]:
        """Code each text, and let others have the loop now and then."""
        proposals = []
        for number, each in enumerate(said, start=1):
            themes = rules.themes(each.text, each.language_code)[:MAX_THEMES]
            proposals.append(Proposal(tuple(themes), self._sentiment(each, rules)))
            if number % _TURN == 0:
                await asyncio.sleep(0)
        return proposals

    def _sentiment(self, said: Said, rules: Matcher) -> float | None:
        language = rules.language(said.language_code).partition("-")[0].lower()
        if language != "en" or not said.text.strip():
            return None
        return float(self._analyzer.polarity_scores(said.text)["compound"])
