from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import Float

from glossator.agents.memory_use.contradictions import ContradictionCheck, find_contradictions
from glossator.agents.memory_use.ground import Ground
from glossator.agents.memory_use.meanings import Claims, Meaning, gather_claims
from glossator.memory.finding_store import FindingStore
from glossator.memory.investigation_store import InvestigationStore
from glossator.memory.ledger import Ledger
from glossator.probes.planted_rules import TokenSetRule
from glossator.probes.planted_truth import PlantedSubject, planted_firings, planted_text
from glossator.probes.split_view import ExploreView
from glossator.records import (
    Contradiction,
    Evidence,
    EvidenceKind,
    Explanation,
    FeatureCard,
    FeatureNames,
    FeatureRef,
    Finding,
    FindingKind,
    Predicate,
    Verdict,
    VerdictKind,
    WordIn,
)

NAMES = FeatureNames("tiny", "1-resid-8")
CATS, CATS_TOO, DOGS, ANIMALS = range(4)
RULES = tuple(
    TokenSetRule(kind="token_set", name=str(n), tokens=tokens)
    for n, tokens in enumerate([(" cat",), (" cat",), (" dog",), (" cat", " dog", " cow")])
)
TEXTS = [f"a cat saw a cow and a dog near the {n} house" for n in range(20)]
MEANS = {"cats": 0.0, "felines": 0.2, "dogs": 0.95, "law": 1.5}
"""Angles of wordings: those near to one another mean the same."""


class Angles:
    """Texts as angles on a circle."""

    def embed(self, texts: Sequence[str]) -> Float[np.ndarray, "n d"]:
        angles = np.array([MEANS[t] for t in texts], dtype=np.float32)
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def explore() -> ExploreView:
    subject = PlantedSubject.over(TEXTS, RULES)
    return ExploreView(planted_firings(subject, planted_text(subject, TEXTS)))


def directions(features: Sequence[int]) -> Float[np.ndarray, "n d"]:
    rows = [[2.0, 0.1], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    return np.array([rows[f] for f in features], dtype=np.float32)


GROUND = Ground(Angles(), explore(), directions)
WORDING = Ground(Angles())


def meaning(text: str, feature: int = CATS, *words: str, name: str = "", facet: bool = False) -> Meaning:
    predicate: Predicate | None = WordIn(words=words) if words else None
    return Meaning(name or f"f-{text}-{feature}", feature, text, predicate, ("e-1", "e-2"), is_facet=facet)


def found(
    *accepted: Meaning, refuted: Sequence[Meaning] = (), ground: Ground = GROUND
) -> list[Contradiction]:
    return list(find_contradictions(Claims(accepted, tuple(refuted)), ground))


def test_two_meanings_of_one_feature_that_are_worded_unlike() -> None:
    (one,) = found(meaning("cats"), meaning("law"))
    assert (one.first, one.second) == ("f-cats-0", "f-law-0")
    assert "similarity 0.07" in one.words
    assert one.words.count("evidence e-1, e-2") == 2  # both, with what they rest on
    assert '"cats"' in one.words
    assert '"law"' in one.words
    assert found(meaning("cats"), meaning("felines")) == []
    assert found(meaning("cats"), meaning("law"), ground=Ground()) == []  # nothing to tell by
    assert found(meaning("cats"), meaning("law", facet=True)) == []  # several meanings on purpose


def test_predicates_decide_where_both_have_one() -> None:
    apart = found(meaning("cats", CATS, "cat"), meaning("dogs", CATS, "dog"))
    assert [c.second for c in apart] == ["f-dogs-0"]
    assert "Jaccard 0.00" in apart[0].words
    assert "similarity of the wording 0.58" in apart[0].words  # too alike for the wording alone
    assert found(meaning("cats"), meaning("dogs")) == []
    assert found(meaning("cats", CATS, "cat"), meaning("law", CATS, "cat")) == []
    assert found(meaning("cats", CATS, "cat"), meaning("felines", CATS, "dog")) == []  # said alike
    narrow = meaning("law", CATS, "cat")
    assert found(narrow, meaning("cats", CATS, "cat", "dog", "cow", "house", "near", "saw")) == []
    assert len(found(meaning("cats", CATS, "cat"), meaning("law", CATS, "unicorn"))) == 1  # holds nowhere
    without = Ground(None, explore())
    assert len(found(meaning("cats", CATS, "cat"), meaning("dogs", CATS, "dog"), ground=without)) == 1


def test_nearly_one_direction_under_explanations_that_disagree() -> None:
    (one,) = found(meaning("cats", CATS), meaning("law", CATS_TOO))
    assert "cosine 1.00" in one.words
    assert found(meaning("cats", CATS), meaning("felines", CATS_TOO)) == []
    assert found(meaning("cats", CATS), meaning("law", DOGS)) == []
    assert found(meaning("cats", CATS), meaning("law", CATS_TOO), ground=WORDING) == []
    many = Ground(Angles(), None, lambda f: np.ones((len(f), 2), dtype=np.float32))
    assert len(list(many.near_pairs(range(1100)))) == 1100 * 1099 // 2  # in chunks, each pair once


def test_one_explanation_for_features_that_never_fire_together() -> None:
    (one,) = found(meaning("cats", CATS), meaning("Cats.", DOGS, name="x-label"))
    assert one.second == "x-label"
    assert "20 and 20 firings on explore, none on the same token" in one.words
    assert found(meaning("cats", CATS), meaning("cats", ANIMALS)) == []
    assert found(meaning("cats", CATS), meaning("cats", DOGS), ground=WORDING) == []
    subject = PlantedSubject.over(TEXTS, RULES)
    few = ExploreView(planted_firings(subject, planted_text(subject, TEXTS[:5])))
    assert found(meaning("cats", CATS), meaning("cats", DOGS), ground=Ground(Angles(), few)) == []


def test_a_claim_that_was_refuted() -> None:
    fell = meaning("felines", CATS, name="f-fell")
    (one,) = found(meaning("cats"), refuted=[fell])
    assert one.second == "f-fell"
    assert "similarity 0.98" in one.words
    (same,) = found(meaning("Cats."), refuted=[meaning("cats", name="f-fell")], ground=Ground())
    assert "in the same words" in same.words
    assert found(meaning("cats"), refuted=[meaning("dogs")]) == []
    assert found(meaning("cats", CATS), refuted=[meaning("cats", DOGS)]) == []


def ledger_with(folder: Path) -> Ledger:
    """Feature 0 as cats, learnt; as law, on its card; feature 2's felines refuted; others' claims."""
    ledger = Ledger.open(folder / "l.sqlite")
    source = InvestigationStore(ledger).start("feature", NAMES, "0", {})

    def learn(text: str, feature: int, kind: FindingKind, verdict: str, names: FeatureNames = NAMES) -> None:
        finding = Finding.of(*names, (feature,), kind, text, evidence=("e-1",), verdict=verdict)
        FindingStore(ledger).add(source, [finding])

    learn("cats", CATS, FindingKind.MEANING, "accepted")
    learn("dogs", CATS, FindingKind.MEANING, "tentative")
    learn("felines", DOGS, FindingKind.REFUTED, "")
    learn("dogs", DOGS, FindingKind.MEANING, "accepted", FeatureNames("tiny", "another"))
    for feature, text, words in ((CATS, "law", ("court",)), (DOGS, "dogs", ("dog",))):
        ref = FeatureRef(subject="tiny", dictionary="1-resid-8", index=feature)
        measured = Evidence.of(ref, EvidenceKind.STATISTICS, {}, feature)
        claim = Explanation.of(ref, "m", text, WordIn(words=words), evidence=(measured.id,))
        card = FeatureCard(
            feature=ref, explanation=claim, verdict=Verdict(kind=VerdictKind.ACCEPTED, reason="r"),
            scores=(), density=0.1, n_firings=1, max_activation=1.0, histogram_edges=(0.5, 1.0),
            histogram_counts=(1,), promoted=(), suppressed=(), windows=(), silent_windows=(), neighbours=(),
            evidence=(measured.id,), index_identity="i",
        )  # fmt: skip
        ledger.save_card(ledger.start_run("label", {}), card, [measured])
    return ledger


def test_claims_are_gathered_from_findings_and_cards(tmp_path: Path) -> None:
    ledger = ledger_with(tmp_path)
    claims = gather_claims(ledger, NAMES)
    assert [(m.feature, m.text) for m in claims.accepted] == [(CATS, "cats"), (CATS, "law"), (DOGS, "dogs")]
    assert [m.predicate is None for m in claims.accepted] == [True, False, False]
    assert claims.accepted[1].id.startswith("x-")
    assert [(m.feature, m.text) for m in claims.refuted] == [(DOGS, "felines")]
    assert [m.text for m in gather_claims(ledger, NAMES, [DOGS]).accepted] == ["dogs"]
    assert gather_claims(ledger, FeatureNames("other", "1-resid-8")) == Claims((), ())
    # Learnt in the words of a card: one claim, which has the card's predicate.
    source = InvestigationStore(ledger).start("feature", NAMES, "2", {})
    same = Finding.of(*NAMES, (DOGS,), FindingKind.MEANING, "Dogs.", evidence=("e-1",), verdict="accepted")
    FindingStore(ledger).add(source, [same])
    (claim,) = gather_claims(ledger, NAMES, [DOGS]).accepted
    assert (claim.id, claim.predicate) == (same.id, WordIn(words=("dog",)))


def test_an_answer_is_held_against_the_ledger(tmp_path: Path) -> None:
    check = ContradictionCheck(ledger_with(tmp_path), NAMES, WORDING)

    def of(features: Sequence[int], *texts: str) -> list[Contradiction]:
        return list(asyncio.run(check.of(features, texts)))

    (stored,) = of([CATS], "it fires often")
    assert '"law"' in stored.words
    said = of([DOGS], "it fires often", 'feature 2 fires on "Felines".')
    assert [(c.first, c.words[:24]) for c in said] == [("claim 2", "claim 2 says what was re")]
    assert of([DOGS], "feature 2 does not fire on felines", "that it means felines was refuted") == []
    assert of([ANIMALS], "it fires on felines") == []
    assert of([DOGS], "felinesque") == []
    assert of([], "felines") == []


@pytest.mark.parametrize("text", ["it isn't felines", "never felines", "Not felines"])
def test_a_denial_repeats_nothing(tmp_path: Path, text: str) -> None:
    check = ContradictionCheck(ledger_with(tmp_path), NAMES, WORDING)
    assert asyncio.run(check.of([DOGS], [text])) == ()
