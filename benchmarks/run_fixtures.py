"""What the benchmarks of labelling runs share: an index with planted features, runs over it, and works.

A run may have more features than the index: number `i` is measured as planted feature `i % PLANTED`, under a
name of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from glossator.agents.feature_preparation import FeaturePreparation
from glossator.agents.llm_calls.scripted_chat import Asked, Script, by_form, marked_parts, verdicts
from glossator.agents.run_work.item_work import WorkLoad
from glossator.memory.labelling_runs import LabellingRunStore, PlannedItem
from glossator.memory.ledger import Ledger
from glossator.memory.run_workers import Amount
from glossator.memory.work_queue import Ended, Lease
from glossator.probes.activation_index import ActivationIndex, build_index
from glossator.probes.corpus_document import Document
from glossator.probes.planted_rules import TokenSetRule
from glossator.probes.planted_truth import PlantedDictionary, PlantedSubject
from glossator.probes.sentence_embedder import HashingEmbedder
from glossator.probes.split_assignment import split_of
from glossator.probes.text_embedder import TextEmbedder
from glossator.probes.token_effects import TokenEffects
from glossator.records import (
    Depth,
    Evidence,
    FeatureCard,
    FeatureNames,
    FeatureRef,
    RunEvent,
    RunEventKind,
    RunOrder,
    RunPlan,
    RunVariant,
)

PLANTED = 96
"""Planted features, each a set of three words."""
WORDS_EACH = 3
NAMES = FeatureNames("planted", "planted")
_DOCUMENTS, _LENGTH, _SEED = 150, 200, 5
LABEL_FORM = "LabelAnswer"


class Bench(NamedTuple):
    """An index over planted features."""

    activations: ActivationIndex
    dictionary: PlantedDictionary

    def preparation(self, embedder: TextEmbedder | None = None) -> FeaturePreparation:
        """Features ready to be measured; no embedder, so the predicate alone is a reader."""
        effects: Callable[[int], TokenEffects] = lambda _: TokenEffects((), ())  # noqa: E731
        return FeaturePreparation(self.activations, self.dictionary, effects, embedder=embedder, names=NAMES)


def words_of(feature: int) -> tuple[str, ...]:
    """The words on which a planted feature fires."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    number = feature % PLANTED
    return tuple(f"w{letters[number // 26]}{letters[number % 26]}{letters[k]}word" for k in range(WORDS_EACH))


def planted_bench(folder: Path) -> Bench:
    """Build the index in `folder`, or open the one that stands there."""
    rng = np.random.default_rng(_SEED)
    usual = [f"common{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"] * 8
    planted = [word for feature in range(PLANTED) for word in words_of(feature)]
    documents: list[Document] = []
    for i in range(_DOCUMENTS):
        body = " ".join([*rng.choice(usual, _LENGTH // 2), *rng.choice(planted, _LENGTH)])
        body = " ".join(rng.permutation(body.split()).tolist())
        documents.append(Document(f"d{i}", "", "", f"{body} {split_of(body)}", "made"))
    rules = tuple(
        TokenSetRule(kind="token_set", name=f"set {i}", tokens=tuple(f" {w}" for w in words_of(i)))
        for i in range(PLANTED)
    )
    subject = PlantedSubject.over([d.text for d in documents], rules)
    dictionary = PlantedDictionary(PLANTED)
    return Bench(build_index(folder, subject, dictionary, documents, context=64), dictionary)


def embedder() -> HashingEmbedder:
    """An embedder without a model."""
    return HashingEmbedder()


def ordered(ledger: Ledger, features: int, key: str = "w-bench") -> str:
    """A started run over so many features."""
    plan = RunPlan(
        names=NAMES,
        index_identity="planted",
        depth=Depth.LABEL,
        selection="all",
        order=RunOrder.INDEX,
        variants=(RunVariant(work_key=key),),
        panel=(0, 1, 2),
        settings={},
    )
    runs = LabellingRunStore(ledger)
    run = runs.create(plan, [PlannedItem(ref(i), 1.0) for i in range(features)])
    runs.note(run, RunEvent(kind=RunEventKind.STARTED, words="begun"))
    return run


def ref(feature: int) -> FeatureRef:
    """The name of a feature of a run."""
    return FeatureRef(subject=NAMES.subject, dictionary=NAMES.dictionary, index=feature)


def renamed(ended: Ended, lease: Lease) -> Ended:
    """The same end for the feature of `lease`, as if that had been measured."""
    if ended.card is None or ended.card.feature == lease.feature:
        return ended._replace(lease=lease)
    told: dict[str, object] = {"feature": lease.feature}
    evidence = tuple(_of(e, lease) for e in ended.evidence)
    card: FeatureCard = ended.card.model_copy(update=told | {"evidence": tuple(e.id for e in evidence)})
    return ended._replace(lease=lease, card=card, evidence=evidence)


def _of(evidence: Evidence, lease: Lease) -> Evidence:
    identity = f"{evidence.id}-{lease.feature.index}"
    return evidence.model_copy(update={"id": identity, "feature": lease.feature})


class UnaskedWork:
    """What works without a model have in common: nothing is spent, and a batch is taken up at a time."""

    ahead = 64

    def wanted(self, in_work: int) -> int:
        """A batch whenever half of the last is done."""
        return self.ahead - in_work if in_work <= self.ahead // 2 else 0

    def spent(self) -> Amount:
        """Nothing."""
        return Amount()

    def load(self) -> WorkLoad:
        """Nothing."""
        return WorkLoad()

    async def close(self) -> None:
        """Nothing to let go of."""


def oracle() -> Script:
    """Explains truly and reads truly."""
    return by_form(verdicts(_fits), {LABEL_FORM: _true_label})


def _true_label(asked: Asked) -> str:
    marked = {word for text in asked.windows.values() for mark in marked_parts(text) for word in _named(mark)}
    listed = ", ".join(f'"{w}"' for w in sorted(marked)[:WORDS_EACH])
    return json.dumps({"label": f"one of the words {listed}", "predicate": ""})


def _named(text: str) -> set[str]:
    return set(re.findall(r"w[a-z]{3}word", text))


def _fits(claim: str, text: str) -> bool:
    wanted, marks = _named(claim), marked_parts(text)
    if not marks:
        return bool(wanted & _named(text))
    return 2 * sum(bool(wanted & _named(mark)) for mark in marks) > len(marks)
