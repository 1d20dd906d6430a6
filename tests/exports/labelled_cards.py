"""Cards of planted features with scores by a scripted model, and what an export says of their dictionary.

Every text of the planted corpus names its own split in a word (`marksealed`), so that a leak shows.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from glossator.agents.llm_calls.scripted_chat import ScriptedChat
from glossator.agents.llm_labelling import LlmLabelling
from glossator.agents.scorers.llm_settings import LlmScoringSettings
from glossator.exports.context import ExportContext
from glossator.records import Evidence, FeatureCard, FeatureNames, SiteRef
from tests.agents.planted_index import RULES, oracle, planted_index, room_of

SEALED_WORD = "marksealed"
CONTEXT = ExportContext(
    names=FeatureNames("planted", "3-planted"),
    site=SiteRef.parse("3.resid"),
    corpus="made",
    n_layers=6,
    neurons_per_layer=128,
)


class LabelledCards(NamedTuple):
    cards: list[FeatureCard]
    evidence: dict[str, Evidence]

    @property
    def find(self) -> Callable[[str], Evidence | None]:
        return self.evidence.get

    @property
    def labels(self) -> dict[int, str]:
        return {
            c.feature.index: c.explanation.text
            for c in self.cards
            if c.explanation is not None and c.verdict.kind.value != "abstained"
        }


def labelled_cards(folder: Path) -> LabelledCards:
    """Label the planted features; the last is dead."""
    planted = planted_index(folder)
    calls, budget = room_of(ScriptedChat(oracle()))
    asked = LlmLabelling(
        calls=calls, budget=budget, scoring=LlmScoringSettings(max_firing=20, max_random=20, max_hard=20),
        windows_per_prompt=5,
    )  # fmt: skip
    made = list(planted.labeller(asked).label(range(len(RULES))))
    return LabelledCards([m.card for m in made], {e.id: e for m in made for e in m.evidence})


def rows(path: Path) -> list[dict[str, Any]]:
    """The lines of a file of rows, compressed or not."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in content.decode().splitlines()]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`, by its place."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def texts(folder: Path) -> Iterable[str]:
    """Every file as text."""
    for name, content in contents(folder).items():
        yield (gzip.decompress(content) if name.endswith(".gz") else content).decode()
