"""What we ask of models: a language, and a coding. Adapters are named in __main__ alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from services.feedback.domain.intake import Coder as Identity
from services.feedback.domain.theme_rules import Matcher


class Said(NamedTuple):
    """Words and the language that they are in (BCP 47); empty: not known."""

    text: str
    language_code: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a model would say: themes, sorted, at most 20; a sentiment of -1 to 1, or None."""

    themes: tuple[str, ...]
    sentiment: float | None


class Coder(Protocol):
    """A model that codes."""

    @property
    def identity(self) -> Identity:
        """Its name and version: another version may say something else."""
        ...

    async def propose(self, said: Sequence[Said], rules: Matcher) -> Sequence[Proposal]:
        """Code many texts, each in its place, by the organisation's ``rules``."""
        ...


class LanguageDetector(Protocol):
    """A model that knows languages; fast enough to be asked in passing."""

    @property
    def identity(self) -> Identity:
        """Its name and version."""
        ...

    def detect(self, text: str) -> str:
        """Answer the language of ``text`` (BCP 47); empty where it cannot be told."""
        ...
