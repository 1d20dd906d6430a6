"""Stored evidence measured again, and compared with what was stored.

Each kind is measured by what measured it first: a tool by calling it, a card's evidence as a card is
prepared, an experiment by running its texts. What only a long command or a model can repeat is said, with
the command line that does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple, cast

from pydantic import JsonValue, ValidationError

from glossator.agents.tools.measuring import embedder_of
from glossator.agents.tools.memory_tools import names_of
from glossator.agents.tools.payload_differences import payload_differences
from glossator.agents.tools.rerun_measurements import (
    again_by_command,
    again_for_card,
    again_minimal,
    again_scored,
    again_texts,
)
from glossator.agents.tools.tool import Catalogue
from glossator.agents.tools.workbench import Workbench
from glossator.errors import GlossatorError
from glossator.records import AnyEvidence, Evidence, EvidenceKind

CARD_KINDS = frozenset(
    {
        EvidenceKind.WINDOWS,
        EvidenceKind.SILENT_WINDOWS,
        EvidenceKind.STATISTICS,
        EvidenceKind.TOKEN_EFFECTS,
        EvidenceKind.NEIGHBOURS,
    }
)
FROM_LABELS = frozenset({"label", "verdict", "reason", "labelled"})
"""Entries that tell what features were called at the time: labels are decided, not measured."""
FROM_EFFECTS = frozenset({"concept", "concept_share", "remarks", "evidence"})
"""Entries of a steering that tell what was known of the feature's effects at the time."""
SLOW = {
    "effects": "glossator effects {feature} --force",
    "stress": "glossator stress {feature} --force",
    "strengths": "glossator steer {feature} 'I think' --strength kl={target}",
}
"""Commands that take minutes, by what measured."""


class Rerun(NamedTuple):
    """What measuring again came to."""

    reproduced: bool
    fresh: AnyEvidence | None
    """What was measured now; None where it could not be."""
    differences: tuple[str, ...] = ()
    """In words; empty where it was reproduced, or not measured."""
    reason: str = ""
    """Why it could not be measured again, and what can; empty where it was."""


async def rerun(bench: Workbench, evidence: AnyEvidence, catalogue: Catalogue) -> Rerun:
    """Measure `evidence` again with what `bench` holds and compare.

    Raises:
        StorageError: the ledger or the index cannot be read.

    """
    refused = _other_index(bench, evidence)
    if refused:
        return Rerun(False, None, reason=refused)
    if "tool" in evidence.recipe and "arguments" in evidence.recipe and not _is_experiment(evidence):
        return await _by_tool(evidence, catalogue)
    measure = _measurement(bench, evidence)
    if isinstance(measure, str):
        return Rerun(False, None, reason=measure)
    try:
        fresh = await asyncio.to_thread(measure)
    except (GlossatorError, ValidationError, KeyError) as error:
        return Rerun(False, None, reason=f"it could not be measured again: {error}")
    if isinstance(fresh, str):
        return Rerun(False, None, reason=fresh)
    return _compared(evidence, fresh)


def _is_experiment(evidence: AnyEvidence) -> bool:
    return evidence.kind is EvidenceKind.EXPERIMENT and isinstance(evidence, Evidence)


def _other_index(bench: Workbench, evidence: AnyEvidence) -> str:
    """Why this bench cannot measure it; empty where it can."""
    if names_of(evidence) != bench.names:
        theirs, ours = "/".join(names_of(evidence)), "/".join(bench.names)
        return (
            f"it is of {theirs}, and {ours} is set: set --subject and --dictionary to those of the evidence"
        )
    index = evidence.recipe.get("index")
    if isinstance(index, str) and index != bench.index.identity:
        return (
            f"it was measured on the index {index[:12]}, and this one is {bench.index.identity[:12]}: "
            "another corpus, subject, dictionary or version made it, so nothing is compared"
        )
    used, now = evidence.recipe.get("embedder"), embedder_of(bench)
    if isinstance(used, str) and used not in (now, None if bench.embedder is None else bench.embedder.name):
        return (
            f"it was measured with the embedder {used[:40]!r}, and {str(now)[:40]!r} is set: set --embedder"
        )
    return ""


async def _by_tool(evidence: AnyEvidence, catalogue: Catalogue) -> Rerun:
    """Call the tool that measured it with the arguments that it had."""
    name = str(evidence.recipe["tool"])
    tool = catalogue.get(name)
    if tool is None:
        return Rerun(False, None, reason=f"the tool {name!r} that measured it is not offered here")
    try:
        arguments = tool.arguments.model_validate(evidence.recipe["arguments"])
        result = await tool.run(arguments)
    except (GlossatorError, ValidationError) as error:
        return Rerun(False, None, reason=f"the tool {name!r} could not measure it again: {error}")
    same = [e for e in result.evidence if e.kind is evidence.kind]
    if not same:
        return Rerun(False, None, reason=f"the tool {name!r} gave no {evidence.kind.value} this time")
    return _compared(evidence, same[0])


Measure = Callable[[], AnyEvidence | str]


def _measurement(bench: Workbench, evidence: AnyEvidence) -> Measure | str:
    """What measures evidence that no tool of the catalogue made, or why nothing does."""
    if not isinstance(evidence, Evidence):
        return f"its recipe names no tool with arguments, so no {evidence.kind.value} can be measured again"
    if _is_experiment(evidence):
        return lambda: again_texts(bench, evidence)
    command = evidence.recipe.get("command")
    if command in ("steer", "ablate", "attribute"):
        return lambda: again_by_command(bench, evidence)
    if isinstance(command, str):
        return _needs_command(command, evidence)
    if evidence.kind is EvidenceKind.MINIMAL_CONTEXT:
        return lambda: again_minimal(bench, evidence)
    if evidence.kind is EvidenceKind.SCORE:
        return lambda: again_scored(bench, evidence)
    if evidence.kind in CARD_KINDS:
        return lambda: again_for_card(bench, evidence)
    return _needs_command("effects", evidence)


def _needs_command(command: str, evidence: Evidence) -> str:
    targets = evidence.recipe.get("targets")
    target = cast("list[JsonValue]", targets)[0] if isinstance(targets, list) and targets else 1
    line = SLOW.get(command)
    if line is None:
        return f"the command {command!r} measured it, which nothing here repeats"
    return f"it takes minutes to measure: {line.format(feature=evidence.feature.index, target=target)}"


def _compared(evidence: AnyEvidence, fresh: AnyEvidence) -> Rerun:
    """What was decided since (labels, known effects) may differ; what was measured may not."""
    but = FROM_EFFECTS if evidence.kind is EvidenceKind.STEERING else FROM_LABELS
    if evidence.kind in (EvidenceKind.LABELS, EvidenceKind.RECALL):
        but = frozenset()
    found = payload_differences(evidence.payload, fresh.payload, but=but)
    return Rerun(not found, fresh, found)
