from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import Float

from glossator.agents.memory_use.recall import DISTRACTORS, PER_KIND, LedgerRecall
from glossator.agents.memory_use.same_text import deduplicated, plain_words
from glossator.agents.scorers import FeatureNeighbours
from glossator.memory.finding_store import FindingStore
from glossator.memory.findings_index import FindingsIndex
from glossator.memory.investigation_store import InvestigationStore
from glossator.memory.ledger import Ledger
from glossator.records import (
    Evidence,
    EvidenceKind,
    Explanation,
    FeatureCard,
    FeatureNames,
    FeatureRef,
    Finding,
    FindingKind,
    Verdict,
    VerdictKind,
)

NAMES = FeatureNames("tiny", "1-resid-8")
OTHER = FeatureNames("tiny", "2-resid-8")


def ref(feature: int, names: FeatureNames = NAMES) -> FeatureRef:
    return FeatureRef(subject=names.subject, dictionary=names.dictionary, index=feature)


class Memory:
    """A ledger that investigations write their findings to."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger.open(folder / "l.sqlite")
        self.recall = LedgerRecall(self.ledger, NAMES)

    def learn(
        self,
        text: str,
        features: Sequence[int] = (3,),
        kind: FindingKind = FindingKind.MEANING,
        *,
        verdict: str = "accepted",
        evidence: str = "e-1",
        names: FeatureNames = NAMES,
    ) -> Finding:
        source = InvestigationStore(self.ledger).start("feature", names, "3", {})
        said = verdict if kind is FindingKind.MEANING else ""
        finding = Finding.of(
            *names, tuple(features), kind, text, evidence=(evidence,), verdict=said, author="m"
        )
        FindingStore(self.ledger).add(source, [finding])
        return finding

    def label(self, feature: int, text: str, kind: VerdictKind = VerdictKind.ACCEPTED) -> None:
        measured = Evidence.of(ref(feature), EvidenceKind.STATISTICS, {}, {"n": feature})
        card = FeatureCard(
            feature=ref(feature), explanation=Explanation.of(ref(feature), "analyst", text, None),
            verdict=Verdict(kind=kind, reason="rule"), scores=(), density=0.1, n_firings=1,
            max_activation=1.0, histogram_edges=(0.5, 1.0), histogram_counts=(1,), promoted=(), suppressed=(),
            windows=(), silent_windows=(), neighbours=(), evidence=(measured.id,), index_identity="i",
        )  # fmt: skip
        self.ledger.save_card(self.ledger.start_run("label", {}), card, [measured])


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path)


def test_wording_that_makes_no_difference() -> None:
    assert plain_words("  The word “Cat”. ") == plain_words("the word 'cat'") == "the word cat"
    assert plain_words("cats, dogs; birds!") == "cats dogs birds"
    tokens = ["the token '('", "the token ')'", "the token 's", "the token s", "the token '.'", "3.5", "35"]
    assert len({plain_words(t) for t in tokens}) == len(tokens)  # labels name signs


def test_the_same_words_are_one_finding_with_all_that_they_rest_on(memory: Memory) -> None:
    memory.learn("The word 'cat'.", evidence="e-1", verdict="tentative")
    memory.learn("the word dog", evidence="e-5")
    newest = memory.learn("the word cat", evidence="e-2")
    memory.learn("the word cat", [4])
    memory.learn("the word cat", kind=FindingKind.REFUTED)
    merged = deduplicated(FindingStore(memory.ledger).all(NAMES, feature=3))
    assert [(s.finding.kind.value, s.finding.text) for s in merged] == [
        ("refuted", "the word cat"),  # newest first, and never merged with what it refutes
        ("meaning", "the word cat"),
        ("meaning", "the word dog"),
    ]
    cat = merged[1]
    assert (cat.finding.id, cat.finding.verdict) == (newest.id, "accepted")
    assert cat.finding.evidence == ("e-1", "e-2")
    assert len(cat.investigations) == 2


def test_priors_are_of_this_feature_alone_and_bounded(memory: Memory) -> None:
    for n in range(9):
        memory.learn(f"wrong guess {n}", kind=FindingKind.REFUTED)
    memory.learn("the word cat")
    memory.learn("also kittens", [3, 9], FindingKind.RELATION)
    memory.learn("another feature's", [4])
    memory.learn("another dictionary's", names=OTHER)
    priors = memory.recall.priors(ref(3))
    assert [p.text for p in priors] == [
        "the word cat",
        *(f"wrong guess {n}" for n in (8, 7, 6, 5)),
        "also kittens",
    ]
    assert sum(p.kind is FindingKind.REFUTED for p in priors) == PER_KIND
    assert memory.recall.priors(ref(5)) == ()
    assert memory.recall.priors(ref(3, OTHER)) == ()  # of another dictionary than it was made for


def test_distractors_are_accepted_meanings_of_neighbours(memory: Memory) -> None:
    memory.learn("the word dog", [4])
    memory.learn("dogs in winter", [4], FindingKind.FACET)
    memory.learn("a rejected guess", [5], FindingKind.REFUTED)
    memory.learn("only tentative", [5], verdict="tentative")
    memory.learn("its own meaning", [3])
    memory.learn("The word dog.", [6])
    memory.label(6, "horses")
    memory.label(7, "not accepted", VerdictKind.TENTATIVE)
    memory.label(8, "another's label that nobody asked for")
    near = FeatureNeighbours(by_direction=(6, 3, 4, 5), by_coactivation=(7, 4))
    found = memory.recall.distractors(ref(3), near)
    assert [(f.features, f.text) for f in found] == [
        ((6,), "horses"),
        ((6,), "The word dog."),  # the nearest that it was said of; 4's is the same
        ((4,), "dogs in winter"),
    ]
    assert all(f.evidence for f in found)
    assert memory.recall.distractors(ref(3), [7, 5]) == ()
    assert memory.recall.distractors(ref(3, OTHER), [4]) == ()


def test_distractors_are_bounded(memory: Memory) -> None:
    for feature in range(10, 30):
        memory.learn(f"meaning {feature}", [feature])
        memory.learn(f"other meaning {feature}", [feature])
        memory.learn(f"third meaning {feature}", [feature])
    found = memory.recall.distractors(ref(3), range(10, 30))
    assert len(found) == DISTRACTORS
    assert {f.features[0] for f in found} == set(range(10, 15))  # two of each of the nearest


class WordEmbedder:
    def embed(self, texts: Sequence[str]) -> Float[np.ndarray, "n d"]:
        rows = np.zeros((len(texts), 256), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.lower().split():
                row[hashlib.sha256(word.encode()).digest()[0]] += 1.0
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def fingerprint(self) -> str:
        return "words"


def test_related_findings_are_found_by_meaning_also_those_just_learnt(memory: Memory, tmp_path: Path) -> None:
    assert memory.recall.related("cats") == ()
    with FindingsIndex.open(tmp_path / "findings", WordEmbedder()) as index:
        recall = LedgerRecall(memory.ledger, NAMES, lambda: index)
        memory.learn("the word cat", names=OTHER)
        memory.learn("the word cat", evidence="e-1")
        memory.learn("the word cat.", evidence="e-2")
        memory.learn("a dog or cat", [9], FindingKind.REFUTED)
        found = recall.related("the word cat", 2)
        assert [(f.text, f.kind.value) for f in found] == [
            ("the word cat.", "meaning"),
            ("a dog or cat", "refuted"),
        ]
        assert found[0].evidence == ("e-1", "e-2")
        assert all(f.dictionary == NAMES.dictionary for f in found)
