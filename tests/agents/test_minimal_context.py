"""A firing text loses every token that its firing does not need, in few runs."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from glossator.agents.investigator.minimal_context import minimal_context
from glossator.probes.planted_rules import PlantedRule, PreviousTokenRule, RegexRule, TokenSetRule, TopicRule
from glossator.probes.planted_truth import PlantedDictionary, PlantedSubject
from glossator.probes.text_activations import TextActivations, TextProfile

TEXT = (
    "It was late when the old captain of the ship went down to the harbour and said that he would not sail "
    "before the tax on rum was paid in full, whatever the law of the land might say of it."
)
RULES: tuple[PlantedRule, ...] = (
    TokenSetRule(kind="token_set", name="rum", tokens=(" rum",)),
    PreviousTokenRule(kind="previous_token", name="would not", previous=(" would",), tokens=(" not",)),
    TopicRule(kind="topic", name="sea", words=("ship", "harbour", "sail"), at_least=2, window=24),
    RegexRule(kind="regex", name="first", pattern="^It$"),
    TokenSetRule(kind="token_set", name="café", tokens=(" captain",)),
)


class Counting(TextActivations):
    """Counts batches and texts."""

    def __init__(self) -> None:
        subject = PlantedSubject.over([TEXT], RULES)
        super().__init__(subject, PlantedDictionary(len(RULES)))
        self.batches: list[int] = []

    def profiles(self, feature: int, texts: Sequence[str]) -> list[TextProfile]:
        self.batches.append(len(texts))
        return super().profiles(feature, texts)


@pytest.mark.parametrize(
    ("feature", "length", "held"),
    [(0, 2, [" rum"]), (1, 3, [" would", " not"]), (2, 3, [" ship", " harbour"])],
)
def test_only_what_the_firing_needs_is_left(feature: int, length: int, held: list[str]) -> None:
    activations = Counting()
    found = minimal_context(activations, feature, TEXT, 0.1)
    assert found is not None
    assert len(found.tokens) <= length
    assert set(held[-1:]) <= set(found.tokens) or feature == 2
    assert "".join(found.tokens) == found.kept
    assert activations(feature, [found.kept])[0] == pytest.approx(found.activation)
    assert found.runs == sum(activations.batches) <= 64
    assert len(activations.batches) < 16
    assert found == minimal_context(Counting(), feature, TEXT, 0.1)


def test_what_stays_still_fires_when_runs_are_few() -> None:
    for most in (1, 2, 5):
        activations = Counting()
        found = minimal_context(activations, 2, TEXT, 0.1, most_runs=most)
        assert found is not None
        assert found.runs <= most
        assert sum(activations.batches) <= most
        assert activations(2, [found.kept])[0] > 0.1


def test_a_silent_text_has_none() -> None:
    activations = Counting()
    assert minimal_context(activations, 0, "no drink here", 0.1) is None
    assert minimal_context(activations, 3, TEXT, 0.1) is None  # the first token never counts
    assert minimal_context(activations, 0, "", 0.1) is None
    assert minimal_context(activations, 0, TEXT, 2.0) is None


def test_letters_that_fall_into_pieces_are_never_torn() -> None:
    text = "Das Schiff fährt — über ’n Fluß, the captain said"
    found = minimal_context(Counting(), 4, text, 0.1)
    assert found is not None
    assert found.kept.endswith(" captain")
    assert "<0x" not in found.kept
    assert len(found.tokens) <= 2
