"""The review sentences: 3,708 of them, from product reviews, each rated by several people.

They are real words of real customers, of other products and another shop: attributing them to
CDNOW's customers, as `author` does, is an illustration and says so wherever it is shown.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

REVIEWS = Path("build/data/amazonReviewSnippets_GroundTruth.txt")
SOURCE = "illustration-amazon-reviews"
CUSTOMERS = 23_570

_FIRST = datetime(1998, 4, 1, 9, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of one review; ``rating`` is the mean of human ratings, -4 to 4."""

    id: str
    review: int
    rating: float
    text: str

    @property
    def author(self) -> int:
        """The number of the customer it is attributed to: one a review, spread over all."""
        return 1 + self.review * 7919 % CUSTOMERS

    @property
    def received(self) -> datetime:
        """When it is said to have been received: seven hours from review to review."""
        return _FIRST + timedelta(hours=7 * self.review)


def read_reviews(path: Path = REVIEWS) -> Iterator[Sentence]:
    """Read the sentences, in the order of the file.

    Raises:
        FileNotFoundError: the file is not there; says what puts it there.
        ValueError: a line is no sentence; names file and line.
    """
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        message = f"{path} is missing: run make data"
        raise FileNotFoundError(message) from None
    for number, line in enumerate(lines, start=1):
        try:
            name, rating, text = line.split("\t")
            yield Sentence(name, int(name.partition("_")[0]), float(rating), text)
        except ValueError:
            message = f"{path}, line {number}: not an id, a rating and a text"
            raise ValueError(message) from None
