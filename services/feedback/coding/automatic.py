"""What a model says of feedback, made into commands: by the rules as they now are."""

from collections.abc import Sequence

from equiloop.feedback.v1 import events_pb2 as events

from libs.decider import Aggregate, Decider
from libs.kernel.values import id_of
from services.feedback.coding.port import Coder, Said
from services.feedback.domain import theme_rules
from services.feedback.domain.intake import CodeByModel
from services.feedback.domain.theme_rules import DEFAULT, Matcher

THEME_RULES = Aggregate("themerules", "themeRules", theme_rules.INITIAL, theme_rules.evolve)


class Automatic:
    """A model and the rules that it goes by."""

    def __init__(self, decider: Decider, coder: Coder) -> None:
        """Take the rules from the log each time, and make them ready once a version."""
        self._decider, self.coder = decider, coder
        self._matcher = Matcher(None)

    async def rules(self) -> Matcher:
        """Answer the rules as the log has them now."""
        found = await self._decider.load(THEME_RULES, id_of(DEFAULT))
        latest = found.state.latest if found else None
        if latest is not None and latest.version != self._matcher.version:
            self._matcher = Matcher(latest)
        return self._matcher

    async def code(
        self, received: Sequence[events.FeedbackReceived], *, anew: bool
    ) -> list[CodeByModel]:
        """Answer what the model says of each; ``anew``: also over earlier models and rules."""
        rules = await self.rules()
        said = [Said(event.text, event.language_code) for event in received]
        return [
            CodeByModel(
                name=event.feedback,
                coder=self.coder.identity,
                themes=proposal.themes,
                sentiment=proposal.sentiment or 0.0,
                without_sentiment=proposal.sentiment is None,
                rules_version=rules.version,
                anew=anew,
            )
            for event, proposal in zip(received, await self.coder.propose(said, rules), strict=True)
        ]
