"""Tools for concepts: the features that separate one, and a linear probe with its controls.

Results hold numbers, and hashes or places of texts. A recipe holds given and written texts, so that it can be
followed again; texts of the corpus are drawn again by the same seed and never stand in it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, TypeVar

from pydantic import Field

import glossator
from glossator.agents.concepts.concept_texts import ConceptTexts, CorpusConcepts, TextSource, given_texts
from glossator.agents.concepts.discovery import Discovery, discover
from glossator.agents.concepts.probe_controls import ProbeTable, probe_table
from glossator.agents.concepts.written_concept import WrittenConcept, write_concept
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.scorers.concept_scores import LEAST_PER_SIDE
from glossator.agents.tools import concept_wording
from glossator.agents.tools.tool import AnyTool, Tool, ToolResult
from glossator.agents.tools.workbench import Workbench
from glossator.errors import ProbeError, ToolError, UserError
from glossator.probes.site_means import TextReader
from glossator.probes.subject_protocol import ReadableSubject
from glossator.records import DictionaryEvidence, EvidenceKind, Finding, FindingKind, Record

DISCOVER, PROBE = "discover_features", "train_probe"
_KEPT = 4
T = TypeVar("T")


class ConceptArguments(Record):
    """A concept, with texts or without."""

    concept: str = Field(min_length=1, max_length=200)
    """The concept in a few words, such as `legal language`."""
    with_texts: tuple[str, ...] = ()
    """Texts that have it, at least 12, better 30; left out, texts are written or drawn from the corpus."""
    without_texts: tuple[str, ...] = ()
    """As many texts alike that lack it; given exactly where `with_texts` is."""
    source: TextSource | None = None
    """Where the texts come from; leave out: given ones if there are any, else written, else the corpus."""


class DiscoverArguments(ConceptArguments):
    """A concept and a page."""

    page: int = Field(default=1, ge=1)
    """Which ten groups of features."""


class ConceptBench:
    """Texts and measurements of concepts on one workbench; the last few are kept."""

    def __init__(self, bench: Workbench, calls: CallRoom | None) -> None:
        self.bench, self._calls = bench, calls
        self._texts: dict[str, ConceptTexts] = {}
        self._found: dict[str, Discovery] = {}
        self._lock = asyncio.Lock()

    @cached_property
    def reader(self) -> TextReader:
        """Runs texts through the subject, and through its untrained twin where there can be one."""
        make = self.bench.subject
        return TextReader(self.bench.activations(), None if make is None else self._untrained)

    @cached_property
    def _corpus(self) -> CorpusConcepts:
        return CorpusConcepts(self.bench.index, self.bench.embedder, self.seed("pools"))

    def _untrained(self) -> ReadableSubject:
        from glossator.probes.untrained_subject import untrained_subject

        assert self.bench.subject is not None
        return untrained_subject(self.bench.subject(), self.seed("untrained"))

    def seed(self, purpose: str) -> int:
        """A seed that belongs to this index and a purpose."""
        said = f"{self.bench.seed} {self.bench.index.identity} concepts {purpose}"
        return int.from_bytes(hashlib.sha256(said.encode()).digest()[:4], "big")

    async def discover(self, given: DiscoverArguments) -> ToolResult:
        """Features that separate the concept."""
        async with self._lock:
            texts = await self._concept(given)
            return await _computed(lambda: self._discovered(texts, given.page))

    async def probe(self, given: ConceptArguments) -> ToolResult:
        """A linear probe with its controls."""
        async with self._lock:
            texts = await self._concept(given)
            return await _computed(lambda: self._probed(texts))

    async def _concept(self, given: ConceptArguments) -> ConceptTexts:
        concept = " ".join(given.concept.split())
        key = repr((concept, given.with_texts, given.without_texts, given.source))
        if key not in self._texts:
            if len(self._texts) == _KEPT:
                self._texts.clear()
                self._found.clear()
            self._texts[key] = await self._gathered(concept, given)
        return self._texts[key]

    async def _gathered(self, concept: str, given: ConceptArguments) -> ConceptTexts:
        """Texts from the source that was asked for, or from the best that there is."""
        texts = (given.with_texts, given.without_texts)
        if any(texts):
            if given.source is TextSource.CORPUS:
                raise ToolError("texts were given, and texts of the corpus asked for: leave out one")
            if not all(texts):
                raise ToolError(
                    "texts are needed on both sides: give with_texts and without_texts, or neither"
                )
            source = given.source or TextSource.GIVEN
            return await _computed(lambda: self._parted(concept, texts, source))
        if given.source is TextSource.GIVEN:
            raise ToolError(f"no texts were given: give at least {LEAST_PER_SIDE} of each kind")
        unwritten = ""
        if self._calls is not None and given.source is not TextSource.CORPUS:
            written = await write_concept(self._calls, concept)
            enough = min(len(written.with_concept), len(written.without)) >= LEAST_PER_SIDE
            if enough or given.source is TextSource.WRITTEN:
                pair = (written.with_concept, written.without)
                return await _computed(lambda: self._parted(concept, pair, TextSource.WRITTEN))
            unwritten = f"; the model wrote too few texts ({_problems(written)})"
        elif given.source is TextSource.WRITTEN:
            raise ToolError("no model is set that could write texts: give texts, or leave out the source")
        drawn = await _computed(lambda: self._corpus.texts(concept, self.reader, self.seed(concept)))
        return drawn if not unwritten else _with_note(drawn, unwritten)

    def _parted(self, concept: str, texts: Sequence[Sequence[str]], source: TextSource) -> ConceptTexts:
        how = "texts that the caller gave" if source is TextSource.GIVEN else "texts that a model wrote"
        return given_texts(
            concept, texts[0], texts[1], self.reader, source=source, how=how, seed=self.seed(concept)
        )

    def _discovered(self, texts: ConceptTexts, page: int) -> ToolResult:
        key = f"{id(texts)}"
        if key not in self._found:
            directions = self.bench.dictionary().directions()
            self._found[key] = discover(texts, self.reader, directions, self.seed(texts.concept))
        found = self._found[key]
        concept_wording.require_page(found, page)
        features = tuple(f.feature for f in found.found)
        payload = concept_wording.discovery_payload(texts, found)
        evidence = self._evidence(DISCOVER, EvidenceKind.CONCEPT, texts, features, payload)
        facts, left_out = concept_wording.discovery_facts(texts, found, page, evidence.id)
        finding = self._finding(texts, tuple(f.feature for f in found.remembered()), found, evidence.id)
        return ToolResult(facts, (evidence,), left_out, finding)

    def _probed(self, texts: ConceptTexts) -> ToolResult:
        table: ProbeTable = probe_table(texts, self.reader, self.seed(texts.concept))
        features = () if table.feature is None else (table.feature,)
        payload = concept_wording.probe_payload(texts, table)
        evidence = self._evidence(PROBE, EvidenceKind.LINEAR_PROBE, texts, features, payload)
        facts, left_out = concept_wording.probe_facts(texts, table, evidence.id)
        words = concept_wording.probe_sentence(texts, table)
        return ToolResult(facts, (evidence,), left_out, (self._told(features, words, evidence.id),))

    def _evidence(
        self, tool: str, kind: EvidenceKind, texts: ConceptTexts, features: tuple[int, ...], payload: object
    ) -> DictionaryEvidence:
        arguments = ConceptArguments(
            concept=texts.concept, with_texts=texts.with_texts, without_texts=texts.without_texts,
            source=texts.source,
        )  # fmt: skip
        recipe = {
            "tool": tool, "arguments": arguments.model_dump(mode="json"), "index": self.bench.index.identity,
            "seed": self.bench.seed, "code": glossator.__version__,
        }  # fmt: skip
        return DictionaryEvidence.of(self.bench.names, features, kind, recipe, payload)

    def _finding(
        self, texts: ConceptTexts, best: tuple[int, ...], found: Discovery, evidence: str
    ) -> tuple[Finding, ...]:
        if not best:
            return ()
        return (self._told(best, concept_wording.discovery_sentence(texts, found), evidence),)

    def _told(self, features: tuple[int, ...], words: str, evidence: str) -> Finding:
        names = self.bench.names
        return Finding.of(
            names.subject, names.dictionary, features, FindingKind.CONCEPT, words[:500], evidence=(evidence,)
        )


def concept_tools(bench: Workbench, calls: CallRoom | None = None) -> list[AnyTool]:
    """`discover_features` and `train_probe`; `calls` lets a model write texts where none are given."""
    own = ConceptBench(bench, calls)
    found = Tool[Any](
        DISCOVER,
        "Which features separate texts with a concept from texts without it, false discoveries controlled. "
        "Give a concept, and texts of both kinds if you have any.",
        DiscoverArguments,
        own.discover,
        slow=True,
    )
    probe = Tool[Any](
        PROBE,
        "Trains a linear probe for a concept; compares it with its controls and the best single feature.",
        ConceptArguments,
        own.probe,
        slow=True,
    )
    return [found, probe]


async def _computed(work: Callable[[], T]) -> T:
    """Off the event loop; what a person would have to change becomes a `ToolError`."""
    try:
        return await asyncio.to_thread(work)
    except (UserError, ProbeError) as error:
        raise ToolError(str(error)) from error


def _problems(written: WrittenConcept) -> str:
    counted = {**written.unscored, **written.dropped}
    said = ", ".join(f"{reason} x{n}" for reason, n in sorted(counted.items()))
    return f"{len(written.with_concept)} + {len(written.without)}" + (f"; {said}" if said else "")


def _with_note(texts: ConceptTexts, note: str) -> ConceptTexts:
    from dataclasses import replace

    return replace(texts, how=texts.how + note)
