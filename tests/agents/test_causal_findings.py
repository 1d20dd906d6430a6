"""Labelling with causes, on a real small model whose effects are planted."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from glossator.agents.labelling import FeatureLabeller
from glossator.probes.planted_causal import PlantedCausal
from glossator.records import EvidenceKind, FeatureCard, FeatureRole, Split
from tests.agents.planted_causes import SETTINGS, planted_causes


class Labelled(NamedTuple):
    planted: PlantedCausal
    cards: dict[str, FeatureCard]
    kinds: dict[str, dict[str, EvidenceKind]]


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Labelled:
    planted, preparation, causes = planted_causes(tmp_path_factory.mktemp("causal") / "index")
    names = ("clean", "input", "output", "random")
    done = list(FeatureLabeller(preparation, causes).label([planted.features[n] for n in names]))
    cards = {name: m.card for name, m in zip(names, done, strict=True)}
    kinds = {name: {e.id: e.kind for e in m.evidence} for name, m in zip(names, done, strict=True)}
    return Labelled(planted, cards, kinds)


def test_the_label_says_what_it_fires_on_and_the_effect_what_it_causes(labelled: Labelled) -> None:
    card = labelled.cards["clean"]
    assert card.causal is not None
    assert card.causal.explanation is not None
    raised = set(labelled.planted.concepts["clean"])
    assert len(raised & set(card.causal.effects.concept)) >= 0.8 * len(card.causal.effects.concept)
    assert card.causal.role is not None
    assert card.causal.role.role is FeatureRole.BOTH


def test_roles_are_those_that_were_planted(labelled: Labelled) -> None:
    roles = {
        name: None if card.causal is None or card.causal.role is None else card.causal.role.role
        for name, card in labelled.cards.items()
    }
    assert roles["input"] is FeatureRole.INPUT
    assert roles["output"] is FeatureRole.OUTPUT
    assert roles["random"] is FeatureRole.INPUT


def test_strengths_are_tuned_on_validate_and_scores_come_from_sealed(labelled: Labelled) -> None:
    causal = labelled.cards["clean"].causal
    assert causal is not None
    assert causal.effects.split is Split.VALIDATE
    assert {s.score.split for s in causal.scores} == {Split.SEALED}
    assert [s.target_kl for s in causal.scores] == list(SETTINGS.targets)
    assert all(t.kl == pytest.approx(t.target, rel=0.1) for t in causal.up.targets if t.reached)
    assert causal.down is not None
    for target in (*causal.up.targets, *causal.down.targets):
        assert target.kl_sealed is not None
        assert target.kl_sealed != target.kl, "measured on other prompts"
    for score, target in zip(causal.scores, causal.up.targets, strict=True):
        assert score.kl == pytest.approx(target.kl_sealed, rel=1e-3)


def test_everything_cited_is_handed_on(labelled: Labelled) -> None:
    for name, card in labelled.cards.items():
        kinds = labelled.kinds[name]
        assert set(card.evidence) <= set(kinds)
        assert {EvidenceKind.CAUSES, EvidenceKind.EFFECTS} <= set(kinds.values())
        assert card.causal is not None
        assert {s.score.evidence for s in card.causal.scores if s.score.evidence} <= set(kinds)
        if card.causal.explanation is not None:
            assert set(card.causal.explanation.evidence) <= set(kinds)
