"""Labelling a few features while a request is worked on."""

from __future__ import annotations

import re

from glossator.agents.tools.known_labels import called, known_labels, label_row
from glossator.agents.tools.measuring import of_dictionary, require_count, require_feature, tool_of
from glossator.agents.tools.tool import AnyTool, Fact, ToolResult
from glossator.agents.tools.workbench import Workbench
from glossator.errors import ToolError
from glossator.prompts.fence import neutral
from glossator.records import EvidenceKind, Record

NAME = "label_features"
MOST = 25


class LabelFeatures(Record):
    """What `label_features` is given."""

    features: str
    """Numbers and ranges, such as `0-9,812`; at most 25 features."""


def labelling_tools(bench: Workbench) -> list[AnyTool]:
    """The tool of this module over one bench; none where labelling is not offered."""
    return [
        tool_of(
            NAME,
            "Labels features, scores the labels on sealed texts and stores their cards. Takes seconds a "
            "feature; features that are labelled already are taken from the ledger.",
            LabelFeatures,
            lambda given: label_features(bench, given),
            slow=True,
        )
    ]


def label_features(bench: Workbench, given: LabelFeatures) -> ToolResult:
    """Label a few features; raises `ToolError` for an unreadable list, too many, or where nobody labels."""
    features = features_named(bench, given.features)
    require_count(features, "features", MOST)
    if bench.label is None:
        raise ToolError("labelling is not offered here: use windows, feature_card and test_texts")
    made = bench.label(features)
    labels = known_labels(bench, features)
    rows = [
        {
            **label_row(labels, m.card.feature.index),
            "reason": m.card.verdict.reason,
            "evidence": list(m.card.evidence),
        }
        for m in made
    ]  # fmt: skip
    evidence = of_dictionary(bench, features, EvidenceKind.LABELS, NAME, given, {"rows": rows})
    facts = tuple(
        Fact(
            f"{called(labels, m.card.feature.index)}: {neutral(m.card.verdict.reason)}",
            evidence.id,
            (m.card.feature.index,),
        )
        for m in made
    )
    return ToolResult(facts, (evidence,))


def features_named(bench: Workbench, text: str) -> list[int]:
    """The features of a list such as `0-9,812`, ascending; raises `ToolError` where it cannot be read."""
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?", part)
        if match is None:
            raise ToolError(
                f"cannot read the features {part.strip()!r}: write numbers and ranges such as 0-9,812"
            )
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise ToolError(f"the range {part.strip()!r} runs backwards: did you mean {last}-{first}?")
        require_feature(bench, last)
        if last - first >= MOST:
            raise ToolError(
                f"the range {part.strip()!r} has {last - first + 1} features: give at most {MOST} at once"
            )
        found |= set(range(first, last + 1))
    return sorted(found)
