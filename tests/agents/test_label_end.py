"""What becomes of a feature of a run whose answers are missing in part or altogether."""

from __future__ import annotations

import pytest

from glossator.agents.feature_preparation import LabelledFeature
from glossator.agents.run_work.label_end import ended_with
from glossator.memory.work_queue import Lease
from glossator.records import FeatureCard, FeatureRef, ItemState, LlmSpending
from tests.report.fake_cards import hostile_card

REF = FeatureRef(subject="s", dictionary="d", index=3)
LEASE = Lease(0, REF, "k-1", 1)


def card(unscored: dict[str, int], *, read: bool) -> FeatureCard:
    made = hostile_card()
    scores = tuple(s.model_copy(update={"reader": "m"}) for s in made.scores) if read else ()
    spending = LlmSpending(calls=4, unscored=unscored)
    return made.model_copy(update={"scores": scores, "candidates": (), "spending": spending})


@pytest.mark.parametrize(
    ("unscored", "read", "state", "retryable"),
    [
        ({}, True, ItemState.DONE, False),
        ({"malformed": 2}, True, ItemState.DONE, False),
        ({"server error": 2}, True, ItemState.DONE, True),
        ({"server error": 2}, False, ItemState.FAILED, True),
    ],
)
def test_a_card_that_lacks_answers_of_the_endpoint_is_kept_and_worth_doing_again(
    unscored: dict[str, int], read: bool, state: ItemState, retryable: bool
) -> None:
    ended = ended_with(LEASE, 0, LabelledFeature(card(unscored, read=read), ()))
    assert (ended.state, ended.retryable) == (state, retryable)
    assert (ended.card is None) == (state is ItemState.FAILED)
