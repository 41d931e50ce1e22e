"""State → resource: questions with their answers as the contract shows them."""

from equiloop.feedback.v1 import community_service_pb2 as api

from libs.decider import Handled
from services.feedback.domain.question import Question


def question(handled: Handled[Question]) -> api.Question:
    """Answer a question with all its answers."""
    state, asked, accepted = handled.state, handled.state.asked, handled.state.accepted
    assert asked is not None
    return api.Question(
        name=asked.question,
        asker=asked.asker,
        text=asked.text,
        language_code=asked.language_code,
        need=(accepted.need if accepted else "") or asked.need,
        ask_time=asked.ask_time,
        head_count=len(state.heads),
        answers=[
            api.Answer(
                name=given.answer,
                member=given.member,
                text=given.text,
                language_code=given.language_code,
                answer_time=given.answer_time,
                accepted=accepted is not None and accepted.answer == given.answer,
            )
            for given in state.answers
        ],
        closed=accepted is not None,
        create_time=asked.event_time,
        update_time=state.changed,
        etag=str(handled.revision),
    )
