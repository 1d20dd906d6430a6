"""What one feature does to the output, and which features are near it: by direction, by firing together."""

from __future__ import annotations

import numpy as np

from glossator.agents.tools.known_labels import called, known_labels, label_row
from glossator.agents.tools.measuring import number, of_feature, percent, require_feature, tool_of
from glossator.agents.tools.tool import AnyTool, Fact, ToolResult
from glossator.agents.tools.workbench import Workbench
from glossator.errors import ToolError
from glossator.probes.neighbours import nearest_by_direction
from glossator.prompts.fence import neutral
from glossator.records import EvidenceKind, Record

EFFECTS, NEIGHBOURS, COACTIVATION = "logit_effects", "neighbours", "coactivation"
NEAREST = 10
_PLACES = 3


class LogitEffectsAsked(Record):
    """What `logit_effects` is given."""

    feature: int
    """The feature's number."""


class NeighboursAsked(Record):
    """What `neighbours` is given."""

    feature: int
    """The feature's number."""


class CoactivationAsked(Record):
    """What `coactivation` is given."""

    feature: int
    """The feature's number."""


def relation_tools(bench: Workbench) -> list[AnyTool]:
    """The tools of this module over one bench."""
    return [
        tool_of(
            EFFECTS,
            "Which output tokens one feature raises and lowers through the unembedding. It is "
            "a hint of its effect; steer measures the effect itself.",
            LogitEffectsAsked,
            lambda given: logit_effects(bench, given),
        ),
        tool_of(
            NEIGHBOURS,
            "The features whose directions are nearest to one feature's, with their labels: features that a "
            "good label must tell apart.",
            NeighboursAsked,
            lambda given: neighbours(bench, given),
        ),
        tool_of(
            COACTIVATION,
            "The features that fire on the same tokens as one feature, with their labels.",
            CoactivationAsked,
            lambda given: coactivation(bench, given),
        ),
    ]


def logit_effects(bench: Workbench, given: LogitEffectsAsked) -> ToolResult:
    """Output tokens promoted and suppressed."""
    feature = require_feature(bench, given.feature)
    effects = bench.effects(feature)
    payload = {
        "promoted": [{"token": e.token, "effect": number(e.effect)} for e in effects.promoted],
        "suppressed": [{"token": e.token, "effect": number(e.effect)} for e in effects.suppressed],
    }
    evidence = of_feature(bench, feature, EvidenceKind.TOKEN_EFFECTS, EFFECTS, given, payload)
    if not effects.promoted and not effects.suppressed:
        return ToolResult(
            (Fact(f"feature {feature} moves no output token", evidence.id, (feature,)),), (evidence,)
        )
    facts = tuple(
        Fact(
            f"feature {feature} {verb} "
            + ", ".join(f'"{neutral(e.token)}" {e.effect:+.2f}' for e in tokens)
            + " (logits per unit, the norm's scale held fixed)",
            evidence.id,
            (feature,),
        )
        for verb, tokens in (("promotes", effects.promoted), ("suppresses", effects.suppressed))
    )
    return ToolResult(facts, (evidence,))


def neighbours(bench: Workbench, given: NeighboursAsked) -> ToolResult:
    """Nearest features by direction."""
    feature = require_feature(bench, given.feature)
    near = nearest_by_direction(bench.dictionary().directions(), feature, NEAREST)
    pairs = list(zip(near.indices.tolist(), near.scores.tolist(), strict=True))
    labels = known_labels(bench, [f for f, _ in pairs])
    rows = [{**label_row(labels, f), "cosine": number(c)} for f, c in pairs]
    evidence = of_feature(bench, feature, EvidenceKind.NEIGHBOURS, NEIGHBOURS, given, {"rows": rows})
    facts = [
        Fact(
            f"{called(labels, f)} has a direction of cosine {c:.2f} to feature {feature}'s",
            evidence.id,
            (feature, f),
        )
        for f, c in pairs
    ]
    left = bench.index.n_features - 1 - len(pairs)
    return ToolResult(
        tuple(facts), (evidence,), f"{left:,} features that are further away" if left > 0 else ""
    )


def coactivation(bench: Workbench, given: CoactivationAsked) -> ToolResult:
    """Features that fire along with one, and where; raises `ToolError` where it never fires."""
    feature = require_feature(bench, given.feature)
    view = bench.index.explore
    own = view.firings(feature).position
    if not len(own):
        raise ToolError(f"feature {feature} never fires on explore, so nothing fires together with it")
    near = bench.index.coactivation(feature, NEAREST)
    pairs = list(zip(near.indices.tolist(), near.scores.tolist(), strict=True))
    labels = known_labels(bench, [f for f, _ in pairs])
    rows: list[dict[str, object]] = []
    facts: list[tuple[str, int]] = []
    for f, cosine in pairs:
        both = np.intersect1d(own, view.firings(f).position, assume_unique=True)
        where = common_tokens(bench, both)
        rows.append(
            {**label_row(labels, f), "cosine": number(cosine), "together": len(both), "tokens": where}
        )
        listed = ", ".join(f'"{neutral(t)}"' for t in where)
        facts.append(
            (
                f"{called(labels, f)} fires on {len(both):,} of the {len(own):,} tokens of feature {feature} "
                f"({percent(len(both) / len(own))}), most on {listed}",
                f,
            )
        )
    evidence = of_feature(
        bench, feature, EvidenceKind.COACTIVATION, COACTIVATION, given, {"firings": len(own), "rows": rows}
    )
    if not facts:
        alone = f"no other feature fires on any of the {len(own):,} tokens of feature {feature}"
        return ToolResult((Fact(alone, evidence.id, (feature,)),), (evidence,))
    told = tuple(Fact(words, evidence.id, (feature, f)) for words, f in facts)
    left = "features that fire together with it less" if len(pairs) == NEAREST else ""
    return ToolResult(told, (evidence,), left)


def common_tokens(bench: Workbench, positions: np.ndarray, k: int = _PLACES) -> list[str]:
    """The tokens that stand most often at some positions of `explore`."""
    text = bench.index.explore.text
    ids, counts = np.unique(text.ids[positions], return_counts=True)
    order = np.argsort(-counts, kind="stable")[:k]
    return [text.vocabulary.texts[int(ids[i])] for i in order]
