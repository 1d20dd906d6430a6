"""Runs texts that test a hypothesis, and judges them by the feature's own activations on `explore`.

Whoever wrote the texts said beforehand what should happen; what did happen is decided here. Texts are
data: nothing in them is ever obeyed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import glossator
from glossator.agents.firing_facts import STRONG
from glossator.agents.investigator.corpus_fit import CorpusFit
from glossator.agents.investigator.proposer import TestBatch, TextTest
from glossator.agents.investigator.tested_tokens import TestedTexts
from glossator.probes.text_activations import TextProfile
from glossator.records import Evidence, EvidenceKind, Experiment, FeatureRef, Outcome, TriedText

LONGEST_TEXT = 1000
"""Characters of a text that is run; longer ones are refused, not cut: what was predicted was of the whole."""
RECIPE_VERSION = 1
"""Raised whenever the same recipe would measure something else."""


class RanExperiment(NamedTuple):
    """One batch, run and judged."""

    experiment: Experiment
    evidence: Evidence


class Accepted(NamedTuple):
    """Batches that may be run, and what was left out of them."""

    batches: tuple[TestBatch, ...]
    refused: dict[str, int]
    """Reason to count."""
    new: int
    """Distinct texts among them that were not run before."""


def accept(batches: Sequence[TestBatch], known: frozenset[str], *, most: int, room: int) -> Accepted:
    """What may be run of `batches`.

    Args:
        batches: as they were proposed.
        known: texts that were run before; they cost nothing.
        most: tests over all batches.
        room: texts that may still be run.
    """
    refused: Counter[str] = Counter()
    taken: list[TestBatch] = []
    new: set[str] = set()
    left = most
    for batch in batches:
        seen: set[str] = set()
        tests: list[TextTest] = []
        both = _predicted_both_ways(batch)
        for test in batch.tests:
            fresh = test.text not in known and test.text not in new
            reason = _unfit(test, seen, both) or _beyond(left, fresh and len(new) >= room)
            if reason:
                refused[reason] += 1
                continue
            seen.add(test.text)
            new |= {test.text} if fresh else set()
            tests.append(test)
            left -= 1
        if tests:
            taken.append(batch._replace(tests=tuple(tests)))
    return Accepted(tuple(taken), dict(refused), len(new))


def _predicted_both_ways(batch: TestBatch) -> set[str]:
    said: dict[str, set[str]] = {}
    for test in batch.tests:
        said.setdefault(test.text, set()).add(test.expected.value)
    return {text for text, expected in said.items() if len(expected) > 1}


def _unfit(test: TextTest, seen: set[str], both: set[str]) -> str:
    if not test.text.strip():
        return "empty text"
    if not storable(test.text + test.why):
        return "not valid Unicode"
    if len(test.text) > LONGEST_TEXT:
        return f"text longer than {LONGEST_TEXT} characters"
    if test.text in both:
        return "predicted to fire and to be silent"
    return "the same text twice in one experiment" if test.text in seen else ""


def _beyond(left: int, full: bool) -> str:
    if left <= 0:
        return "more texts than a round takes"
    return "limit on texts reached" if full else ""


def run_experiments(
    batches: Sequence[TestBatch], ref: FeatureRef, texts: TestedTexts, corpus: CorpusFit, index_identity: str
) -> list[RanExperiment]:
    """Run `batches`, all texts in one go.

    Raises:
        ProbeError: an activation is infinite or not a number.
    """
    texts.profiles([t.text for b in batches for t in b.tests])
    return [_judged(batch, ref, texts, corpus, index_identity) for batch in batches]


def _judged(
    batch: TestBatch, ref: FeatureRef, texts: TestedTexts, corpus: CorpusFit, identity: str
) -> RanExperiment:
    threshold = STRONG * corpus.maximum
    profiles = texts.profiles([t.text for t in batch.tests])
    tried = tuple(_tried(t, p, threshold, corpus) for t, p in zip(batch.tests, profiles, strict=True))
    experiment = Experiment(hypothesis=batch.hypothesis, kind=batch.kind, tested=tried, threshold=threshold)
    recipe = {
        "tool": "test_texts",
        "recipe_version": RECIPE_VERSION,
        "feature": ref.index,
        "hypothesis": batch.hypothesis,
        "texts": [t.text for t in batch.tests],
        "expectations": [t.expected.value for t in batch.tests],
        "threshold_share": STRONG,
        "index": identity,
        "code": glossator.__version__,
    }
    payload = experiment.model_dump(mode="json")
    return RanExperiment(experiment, Evidence.of(ref, EvidenceKind.EXPERIMENT, recipe, payload))


def _tried(test: TextTest, profile: TextProfile, threshold: float, corpus: CorpusFit) -> TriedText:
    activation = round(profile.activation, 4)
    return TriedText(
        text=test.text,
        expected=test.expected,
        why=test.why,
        activation=activation,
        quantile=round(corpus.quantile(profile.activation), 4),
        outcome=outcome_of(profile.activation, threshold),
        token="" if profile.peak is None else profile.tokens[profile.peak],
    )


def storable(text: str) -> bool:
    """Whether `text` can be written down: half of a surrogate pair, which JSON can spell, cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def outcome_of(activation: float, threshold: float) -> Outcome:
    """What an activation says: above `threshold`, above 0, or nothing."""
    if activation <= 0:
        return Outcome.SILENT
    return Outcome.FIRES if activation > threshold else Outcome.WEAK
