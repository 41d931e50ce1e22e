"""What may be asked about questions among members."""

from libs.kernel.values import Command, NeedName
from services.feedback.domain.question import QuestionName


class OneQuestion(Command):
    """A question by its name."""

    name: QuestionName


class OpenNeedsAsked(Command):
    """Open questions that speak of a need; None: of any or none."""

    need: NeedName | None = None
