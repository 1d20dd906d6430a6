"""A workbench over the planted index, with a ledger in a folder, and tools called as a planner calls them."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from glossator.agents.feature_preparation import LabelledFeature
from glossator.agents.labelling import label_features
from glossator.agents.tools.catalogue import catalogue
from glossator.agents.tools.tool import Catalogue, ToolResult
from glossator.agents.tools.workbench import Workbench
from glossator.memory.ledger import Ledger
from glossator.probes.sentence_embedder import HashingEmbedder
from glossator.probes.text_activations import TextActivations
from glossator.probes.token_effects import TokenEffects
from glossator.records import (
    AnyEvidence,
    Explanation,
    FeatureCard,
    FeatureNames,
    TokenEffect,
    Verdict,
    VerdictKind,
)
from tests.agents.planted_index import RULES, PlantedIndex, planted_index

MODALS, SEA, MONEY, DEAD = range(4)
NAMES = FeatureNames("planted", "planted")


class ToolBench(NamedTuple):
    """A bench, its tools, and what they measured stored as an investigation stores it."""

    bench: Workbench
    tools: Catalogue
    run: str

    def call(self, tool: str, **arguments: Any) -> ToolResult:
        """The result of one call; its evidence is stored first."""
        chosen = self.tools[tool]

        async def answer() -> ToolResult:
            return await chosen.run(chosen.arguments.model_validate(arguments))

        result = asyncio.run(answer())
        self.bench.investigations.save_evidence(self.run, result.evidence)
        return result

    def evidence(self, tool: str, **arguments: Any) -> AnyEvidence:
        """The one piece of evidence of a call."""
        (made,) = self.call(tool, **arguments).evidence
        return made


def words_of(result: ToolResult) -> str:
    """All facts, one a line."""
    return "\n".join(fact.text for fact in result.facts)


def effects(feature: int) -> TokenEffects:
    """Made up: two output tokens each, one of them everybody's."""
    token = f" out{feature}"
    return TokenEffects(
        (TokenEffect(token=" shared", effect=2.0), TokenEffect(token=token, effect=1.0)),
        (TokenEffect(token=" low", effect=-1.0),),
    )


def planted(folder: Path) -> PlantedIndex:
    """The index, built once a module."""
    return planted_index(folder / "index")


@contextmanager
def tool_bench(index: PlantedIndex, folder: Path, **more: Any) -> Generator[ToolBench]:
    """Tools over the planted index and a new ledger in `folder`."""
    with Ledger.open(folder / "ledger.sqlite") as ledger:
        run = ledger.start_run("investigate", {})

        def label(features: list[int]) -> list[LabelledFeature]:
            made = list(
                label_features(
                    index.activations, index.dictionary, effects, features,
                    embedder=HashingEmbedder(), names=NAMES,
                )
            )  # fmt: skip
            for one in made:
                ledger.save_card(run, one.card, one.evidence)
            return made

        given: dict[str, Any] = {
            "names": NAMES, "index": index.activations, "ledger": ledger, "embedder": HashingEmbedder(),
            "dictionary": lambda: index.dictionary,
            "activations": lambda: TextActivations(index.subject, index.dictionary, context=64),
            "effects": effects, "label": label,
        }  # fmt: skip
        bench = Workbench(**(given | more))
        yield ToolBench(bench, catalogue(bench), run)


def give_label(made: ToolBench, feature: int, text: str, kind: VerdictKind = VerdictKind.ACCEPTED) -> str:
    """Store a card for a feature; returns the id of the card."""
    bench = made.bench
    ref = bench.ref(feature)
    card = FeatureCard(
        feature=ref, explanation=Explanation.of(ref, "test", text, None),
        verdict=Verdict(kind=kind, reason="made up"), scores=(), density=0.1, n_firings=3, max_activation=1.0,
        histogram_edges=(0.5, 1.0), histogram_counts=(3,), promoted=(), suppressed=(), windows=(),
        silent_windows=(), neighbours=(), evidence=(), index_identity=bench.index.identity,
    )  # fmt: skip
    return bench.ledger.save_card(made.run, card)


ALL = tuple(range(len(RULES)))
