"""What can be asked about feedback: one class a question."""

from services.feedback.views.actions import Actions
from services.feedback.views.conversations import Conversations
from services.feedback.views.decisions import LeaderListening
from services.feedback.views.digests import MarketVoice
from services.feedback.views.duplicates import Duplicates
from services.feedback.views.facts import FeedbackFacts
from services.feedback.views.inbox import FeedbackInbox
from services.feedback.views.lineage import Lineage
from services.feedback.views.loops import OpenLoops
from services.feedback.views.needs import NeedBoard
from services.feedback.views.open_needs import OpenNeeds
from services.feedback.views.priorities import ThemePriority
from services.feedback.views.routing import FeedbackRoutes
from services.feedback.views.said import MarketSaid
from services.feedback.views.schedules import DigestSchedules

VIEWS = (
    FeedbackInbox(),
    OpenLoops(),
    Actions(),
    FeedbackFacts(),
    Lineage(),
    NeedBoard(),
    ThemePriority(),
    FeedbackRoutes(),
    MarketSaid(),
    MarketVoice(),
    DigestSchedules(),
    LeaderListening(),
    Conversations(),
    OpenNeeds(),
    Duplicates(),
)
"""All of them; they share one database and one checkpoint."""
