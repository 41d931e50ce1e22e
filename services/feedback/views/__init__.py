"""What can be asked about feedback: one class a question."""

from services.feedback.views.facts import FeedbackFacts
from services.feedback.views.inbox import FeedbackInbox
from services.feedback.views.lineage import Lineage
from services.feedback.views.loops import FeedbackToAction

VIEWS = (FeedbackInbox(), FeedbackToAction(), FeedbackFacts(), Lineage())
"""All of them; they share one database and one checkpoint."""
