"""Planted features in an activation index over starter text, and one investigation of one of them.

The subject's vocabulary comes from far more text than is indexed, as a real tokenizer's does. Text is read
for one feature at a time by a subject that follows that feature's rule alone: the same activations, fast.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from jaxtyping import Float

from benchmarks.planted_truth import starter_texts
from glossator.agents.feature_preparation import FeaturePreparation
from glossator.agents.investigator.bench import InvestigatorBench
from glossator.agents.investigator.investigate import investigate_feature
from glossator.agents.investigator.limits import InvestigationLimits
from glossator.agents.investigator.proposer import Observed, Proposal, Proposer, Standing, TestBatch
from glossator.agents.trace.trace import Trace
from glossator.memory.investigation_store import InvestigationStore
from glossator.memory.ledger import Ledger
from glossator.probes.activation_index import ActivationIndex, build_index
from glossator.probes.corpus_document import Document
from glossator.probes.planted_features import RESERVED, planted_features, reserved_features
from glossator.probes.planted_rules import PlantedRule
from glossator.probes.planted_truth import PlantedDictionary, PlantedSubject, planted_places, planted_text
from glossator.probes.predicate_evaluation import evaluate
from glossator.probes.text_activations import TextActivations, TextProfile
from glossator.probes.text_embedder import TextEmbedder
from glossator.probes.token_effects import TokenEffects
from glossator.probes.token_text import TokenText
from glossator.records import FeatureInvestigation, FeatureNames, Predicate, TraceEvent, TraceKind

NAMES = FeatureNames("planted", "planted")
VOCABULARY_CHARACTERS, VOCABULARY = 8_000_000, 40_000
CONTEXT = 256
T = TypeVar("T")


class PlantedReader:
    """Reads texts for one feature at a time, and notes how long that took."""

    def __init__(self, subject: PlantedSubject) -> None:
        self._subject = subject
        self._readers: dict[int, TextActivations] = {}
        self.seconds = 0.0

    def __call__(self, feature: int, texts: Sequence[str]) -> Float[np.ndarray, " texts"]:
        """As `TextActivations`."""
        began = time.perf_counter()
        found = self._reader(feature)(0, texts)
        self.seconds += time.perf_counter() - began
        return found

    def profiles(self, feature: int, texts: Sequence[str]) -> list[TextProfile]:
        """As `TextActivations`."""
        began = time.perf_counter()
        found = self._reader(feature).profiles(0, texts)
        self.seconds += time.perf_counter() - began
        return found

    def _reader(self, feature: int) -> TextActivations:
        if feature not in self._readers:
            alone = PlantedSubject((self._subject.rules[feature],), self._subject.vocabulary)
            self._readers[feature] = TextActivations(alone, PlantedDictionary(1), context=CONTEXT)
        return self._readers[feature]


class TimedProposer:
    """A proposer whose own time is noted."""

    def __init__(self, proposer: Proposer) -> None:
        self._proposer = proposer
        self.seconds = 0.0

    @property
    def author(self) -> str:
        """The proposer's."""
        return self._proposer.author

    async def hypotheses(self, observed: Observed, k: int) -> Sequence[Proposal]:
        """As the proposer."""
        return await self._timed(self._proposer.hypotheses(observed, k))

    async def tests(self, observed: Observed, standing: Standing, n: int) -> Sequence[TestBatch]:
        """As the proposer."""
        return await self._timed(self._proposer.tests(observed, standing, n))

    async def challenges(self, observed: Observed, standing: Standing, n: int) -> Sequence[TestBatch]:
        """As the proposer."""
        return await self._timed(self._proposer.challenges(observed, standing, n))

    async def refine(self, observed: Observed, standing: Standing, k: int) -> Sequence[Proposal]:
        """As the proposer."""
        return await self._timed(self._proposer.refine(observed, standing, k))

    async def _timed(self, asked: Awaitable[T]) -> T:
        began = time.perf_counter()
        try:
            return await asked
        finally:
            self.seconds += time.perf_counter() - began


class StepTime(NamedTuple):
    """How long one step took."""

    name: str
    seconds: float
    own: float
    """Less what the subject and the proposer took of it."""


class Investigated(NamedTuple):
    """One investigation, and where its time went."""

    result: FeatureInvestigation
    seconds: float
    steps: tuple[StepTime, ...]


@dataclass
class PlantedRoom:
    """An index whose features are known, and what investigations of it need."""

    subject: PlantedSubject
    index: ActivationIndex
    dictionary: PlantedDictionary
    embedder: TextEmbedder | None
    ledger: Ledger
    unseen: TokenText
    """Text that the index does not hold: truth is held against it."""
    reader: PlantedReader = field(init=False)

    def __post_init__(self) -> None:
        self.reader = PlantedReader(self.subject)

    @cached_property
    def preparation(self) -> FeaturePreparation:
        """What every feature is prepared with."""
        return FeaturePreparation(
            self.index, self.dictionary, lambda _: TokenEffects((), ()), embedder=self.embedder, names=NAMES
        )

    @cached_property
    def bench(self) -> InvestigatorBench:
        """What investigations measure with."""
        n = len(self.subject.rules)
        return InvestigatorBench(self.preparation, self.reader, panel=tuple(range(n - len(RESERVED), n)))

    @property
    def rules(self) -> tuple[PlantedRule, ...]:
        """The rules of the features under investigation; those that stand for others come after them."""
        return self.subject.rules[: -len(RESERVED)]

    @cached_property
    def _store(self) -> InvestigationStore:
        return InvestigationStore(self.ledger)

    def investigate(
        self, feature: int, proposer: Proposer, limits: InvestigationLimits | None = None
    ) -> Investigated:
        """One investigation, timed step by step."""
        asked = str(self.preparation.ref(feature))
        run = self.ledger.start_run("benchmark", {})
        identity = self._store.start("feature", NAMES, asked, {})
        timed, began = TimedProposer(proposer), time.perf_counter()
        clock = _StepClock(lambda: timed.seconds + self.reader.seconds)
        trace = Trace(self._store, identity, run, [clock])
        result = asyncio.run(investigate_feature(self.bench, feature, timed, limits=limits, trace=trace))
        seconds = time.perf_counter() - began
        return Investigated(result, seconds, clock.taken())

    def f1_against_truth(self, predicate: Predicate | None, rule: PlantedRule, text: TokenText) -> float:
        """F1 of a predicate against the rule, noise left out, on eligible tokens of `text`."""
        if predicate is None:
            return 0.0
        held, truth = evaluate(predicate, text) & text.eligible, planted_places(rule, text) & text.eligible
        return float(2 * (held & truth).sum() / max(1, held.sum() + truth.sum()))


class _StepClock:
    """Notes when steps begin, and what subject and proposer had taken by then."""

    def __init__(self, others: Callable[[], float]) -> None:
        self._others = others
        self._began: list[tuple[str, float, float]] = []

    def __call__(self, event: TraceEvent) -> None:
        if event.kind in (TraceKind.NODE, TraceKind.FINISHED):
            self._began.append((event.step.split("-")[0], time.perf_counter(), self._others()))

    def taken(self) -> tuple[StepTime, ...]:
        """Each step, from its beginning to the next one's."""
        return tuple(
            StepTime(name, stop - start, stop - start - (after - before))
            for (name, start, before), (_, stop, after) in pairwise(self._began)
        )


def planted_room(
    folder: Path, n: int, seed: int, characters: int, embedder: TextEmbedder | None
) -> PlantedRoom:
    """Draw `n` rules from `seed`, and index so many characters of starter text with them in `folder`."""
    texts = starter_texts(max(characters, VOCABULARY_CHARACTERS))
    plain = PlantedSubject.over(texts, (), VOCABULARY)
    chosen, rest = _parted(texts, characters, seed)
    rows = [[plain.vocabulary.texts[i] for i in ids] for ids in plain.tokenize(chosen)]
    rules = (*planted_features(rows, n, seed), *reserved_features())
    subject = PlantedSubject(rules, plain.vocabulary)
    dictionary = PlantedDictionary(len(subject.rules))
    documents = [Document(f"d{i}", "", "", text, "starter") for i, text in enumerate(chosen)]
    index = build_index(folder / "index", subject, dictionary, documents, context=CONTEXT)
    ledger, unseen = Ledger.open(folder / "ledger.sqlite"), planted_text(subject, rest, CONTEXT)
    return PlantedRoom(subject, index, dictionary, embedder, ledger, unseen)


class _Parts(NamedTuple):
    """Texts for the index, and about as many others."""

    indexed: list[str]
    unseen: list[str]


def _parted(texts: Sequence[str], characters: int, seed: int) -> _Parts:
    order: list[int] = np.random.default_rng(seed).permutation(len(texts)).tolist()
    ends = np.cumsum([len(texts[i]) for i in order])
    first, second = (int(np.searchsorted(ends, n * characters)) + 1 for n in (1, 2))
    return _Parts([texts[i] for i in order[:first]], [texts[i] for i in order[first:second]])
