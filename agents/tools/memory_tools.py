"""What is stored already: findings of earlier investigations, and evidence by its id."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from glossator.agents.tools.evidence_summary import about, features_of, summary_lines
from glossator.agents.tools.measuring import (
    embedder_of,
    number,
    of_dictionary,
    paged,
    require_feature,
    require_text,
    tool_of,
)
from glossator.agents.tools.tool import AnyTool, Fact, ToolResult
from glossator.agents.tools.workbench import Workbench
from glossator.errors import ToolError
from glossator.memory.finding_store import StoredFinding
from glossator.prompts.fence import neutral
from glossator.records import DictionaryEvidence, Evidence, EvidenceKind, FeatureNames, FindingKind, Record

RECALL, READ = "recall", "read_evidence"


class RecallAsked(Record):
    """What `recall` is given."""

    text: str
    """What the findings should be about, in words."""
    feature: int | None = None
    """Only findings of this feature; none for those of any."""


class ReadEvidence(Record):
    """What `read_evidence` is given."""

    id: str
    """The evidence's id, such as `e-3f9a1c204b77`."""
    page: int = 1
    """Which ten lines, from 1."""


class Recalled(NamedTuple):
    """A finding, and how near it is to what was asked."""

    stored: StoredFinding
    nearness: float
    """0 to 1."""


Ranks = Callable[[str, Sequence[StoredFinding]], list[Recalled]]
"""Puts findings in order of nearness to a text; what is not near at all is left out."""


def memory_tools(bench: Workbench, ranks: Ranks | None = None) -> list[AnyTool]:
    """The tools of this module over one bench; `ranks` in place of words and embeddings compared here."""
    return [
        tool_of(
            RECALL,
            "Findings of earlier investigations of this subject and dictionary that are about some words or "
            "one feature: what was found, and what was refuted.",
            RecallAsked,
            lambda given: recall(bench, given, ranks),
        ),
        tool_of(
            READ,
            "Opens evidence by its id: what was measured and what came out. Sealed texts are never shown.",
            ReadEvidence,
            lambda given: read_evidence(bench, given),
        ),
    ]


def recall(bench: Workbench, given: RecallAsked, ranks: Ranks | None = None) -> ToolResult:
    """Findings near to some words, of this subject and dictionary alone."""
    text = require_text(given.text)
    if given.feature is not None:
        require_feature(bench, given.feature)
    stored = bench.memory.all(bench.names, feature=given.feature)
    near = (ranks or _ranks(bench))(text, stored)
    if given.feature is not None:  # few, and all of them of what was asked: the words only order them
        ranked = {r.stored.finding.id for r in near}
        near += [Recalled(s, 0.0) for s in stored if s.finding.id not in ranked]
    page = paged(near, 1, "findings")
    rows = [
        {
            "finding": r.stored.finding.id,
            "features": list(r.stored.finding.features),
            "kind": r.stored.finding.kind.value,
            "text": r.stored.finding.text,
            "verdict": r.stored.finding.verdict,
            "nearness": number(r.nearness),
        }
        for r in page.rows
    ]
    about_features = sorted({f for r in page.rows for f in r.stored.finding.features})
    evidence = of_dictionary(
        bench, about_features, EvidenceKind.RECALL, RECALL, given,
        {"held": len(stored), "near": len(near), "rows": rows}, embedder=embedder_of(bench),
    )  # fmt: skip
    facts = tuple(Fact(_said(r), evidence.id, r.stored.finding.features) for r in page.rows)
    if not facts:
        held = f"memory holds {len(stored)} findings of {bench.names.subject}/{bench.names.dictionary}"
        facts = (Fact(f"{held}, none of them near to these words", evidence.id),)
    left = len(near) - len(page.rows)
    return ToolResult(facts, (evidence,), f"{left} findings that are less near" if left else "")


def _said(recalled: Recalled) -> str:
    finding = recalled.stored.finding
    named = ", ".join(map(str, finding.features)) or "none"
    times = len(recalled.stored.investigations)
    by = f"found by {times} investigation{'s' if times > 1 else ''}"
    if finding.kind is FindingKind.REFUTED:
        return f'features {named}: REFUTED by experiments, not true of it: "{neutral(finding.text)}" ({by})'
    verdict = f", {finding.verdict}" if finding.verdict else ""
    return f'features {named}, {finding.kind.value}{verdict}: "{neutral(finding.text)}" ({by})'


def _ranks(bench: Workbench) -> Ranks:
    """By shared words, and by embedding where there is an embedder."""

    def ranked(text: str, stored: Sequence[StoredFinding]) -> list[Recalled]:
        if not stored:
            return []
        texts = [s.finding.text for s in stored]
        nearness = _overlap(text, texts)
        if bench.embedder is not None:
            points = bench.embedder.embed([text, *texts])
            nearness = np.maximum(nearness, points[1:] @ points[0])
        order = np.argsort(-nearness, kind="stable")
        return [Recalled(stored[i], float(nearness[i])) for i in order if nearness[i] > _NEAR]

    return ranked


_NEAR = 0.2


def _overlap(text: str, others: Sequence[str]) -> np.ndarray:
    """Share of the words of `text` that each other text holds."""
    asked = _words(text)
    return np.array([len(asked & _words(o)) / max(1, len(asked)) for o in others])


def _words(text: str) -> frozenset[str]:
    return frozenset(w for w in re.findall(r"\w+", text.casefold()) if len(w) > 2)


def read_evidence(bench: Workbench, given: ReadEvidence) -> ToolResult:
    """Evidence in lines; raises `ToolError` where no such id is stored, or it is another dictionary's."""
    found = bench.investigations.evidence(given.id.strip())
    if found is None:
        raise ToolError(
            f"there is no evidence {given.id!r}: give an id that a tool returned, such as e-3f9a1c204b77"
        )
    if names_of(found) != bench.names:
        other = names_of(found)
        raise ToolError(
            f"{found.id} is of {other.subject}/{other.dictionary}, not of {bench.names.subject}/"
            f"{bench.names.dictionary}: it says nothing of these features"
        )
    page = paged(summary_lines(found), given.page, "lines")
    features = features_of(found)
    told = (about(found), *page.rows)
    facts = tuple(Fact(words, found.id, features) for words in told)
    return ToolResult(facts, (), page.left_out)


def names_of(evidence: Evidence | DictionaryEvidence) -> FeatureNames:
    """Whose features the evidence is of."""
    own = evidence.feature if isinstance(evidence, Evidence) else evidence
    return FeatureNames(own.subject, own.dictionary)
