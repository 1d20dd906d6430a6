"""Features side by side: what they are called, how their directions lie, and whether they fire together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import torch

from glossator.agents.tools.feature_tools import top_tokens
from glossator.agents.tools.known_labels import called, known_labels, label_row
from glossator.agents.tools.measuring import (
    number,
    of_dictionary,
    percent,
    require_count,
    require_feature,
    tool_of,
)
from glossator.agents.tools.relation_tools import common_tokens
from glossator.agents.tools.tool import AnyTool, Fact, ToolResult
from glossator.agents.tools.workbench import Workbench
from glossator.prompts.fence import neutral
from glossator.records import EvidenceKind, Record

NAME = "compare_features"
MOST = 8
_TOP = 20
_TOLD_PAIRS = 10


class CompareFeatures(Record):
    """What `compare_features` is given."""

    features: list[int]
    """The numbers of 2 to 8 features."""


class _Together(NamedTuple):
    """Every pair, most firing together first; and on how many tokens all fire."""

    pairs: list[_Pair]
    all: int


class _Pair(NamedTuple):
    first: int
    second: int
    cosine: float
    together: int
    fewer: int
    """Firings of the one that fires less."""
    tokens: list[str]


def comparison_tools(bench: Workbench) -> list[AnyTool]:
    """The tool of this module over one bench."""
    return [
        tool_of(
            NAME,
            "Compares 2 to 8 features: labels, how near their directions are, whether they ever fire on the "
            "same tokens, and which top tokens and promoted output tokens they share.",
            CompareFeatures,
            lambda given: compare_features(bench, given),
        )
    ]


def compare_features(bench: Workbench, given: CompareFeatures) -> ToolResult:
    """What features have in common and what sets them apart; raises `ToolError` for fewer than two."""
    features = list(dict.fromkeys(given.features))
    require_count(features, "different features", MOST, 2)
    for feature in features:
        require_feature(bench, feature)
    labels = known_labels(bench, features)
    tops = {f: [t.token for t in top_tokens(bench, f, _TOP)] for f in features}
    promoted = {f: [e.token for e in bench.effects(f).promoted] for f in features}
    pairs, everywhere = _pairs(bench, features)
    payload = {
        "rows": [{**label_row(labels, f), "top_tokens": tops[f][:8]} for f in features],
        "pairs": [{**p._asdict(), "cosine": number(p.cosine)} for p in pairs],
        "all_together": everywhere,
        "shared_top_tokens": _shared(tops),
        "shared_promoted_tokens": _shared(promoted),
    }
    evidence = of_dictionary(bench, features, EvidenceKind.COMPARISON, NAME, given, payload)
    own = [
        Fact(
            f"{called(labels, f)} fires most on "
            + (", ".join(f'"{neutral(t)}"' for t in tops[f][:5]) or "nothing: it never fires on explore"),
            evidence.id,
            (f,),
        )
        for f in features
    ]
    group = tuple(features)
    shared = [
        Fact(_shared_words("top tokens", _shared(tops)), evidence.id, group),
        Fact(_shared_words("promoted output tokens", _shared(promoted)), evidence.id, group),
    ]
    if len(features) > 2:
        said = f"all {len(features)} fire together on {everywhere:,} tokens of explore"
        shared.insert(0, Fact(said, evidence.id, group))
    told = [Fact(_pair_words(p), evidence.id, (p.first, p.second)) for p in pairs[:_TOLD_PAIRS]]
    left = len(pairs) - len(told)
    return ToolResult(
        (*own, *shared, *told),
        (evidence,),
        f"{left} pairs that fire together less: read_evidence" if left else "",
    )


def _pairs(bench: Workbench, features: Sequence[int]) -> _Together:
    view = bench.index.explore
    at = {f: view.firings(f).position for f in features}
    directions = torch.nn.functional.normalize(bench.dictionary().directions()[features].float(), dim=1)
    cosine = directions @ directions.T
    pairs: list[_Pair] = []
    for (i, a), (j, b) in combinations(enumerate(features), 2):
        both = np.intersect1d(at[a], at[b], assume_unique=True)
        fewer = min(len(at[a]), len(at[b]))
        pairs.append(_Pair(a, b, float(cosine[i, j]), len(both), fewer, common_tokens(bench, both)))
    everywhere = at[features[0]]
    for f in features[1:]:
        everywhere = np.intersect1d(everywhere, at[f], assume_unique=True)
    pairs.sort(key=lambda p: (-p.together, p.first, p.second))
    return _Together(pairs, len(everywhere))


def _shared(by_feature: dict[int, list[str]]) -> list[str]:
    """Tokens that at least two features have, those of most features first; without case and space."""
    counts = Counter(
        word for tokens in by_feature.values() for word in dict.fromkeys(t.strip().casefold() for t in tokens)
    )
    return [word for word, n in counts.most_common() if n > 1 and word]


def _shared_words(what: str, shared: Sequence[str]) -> str:
    if not shared:
        return f"no two of them share any of their {what}"
    more = f" and {len(shared) - 8} more" if len(shared) > 8 else ""
    return f"{what} shared by at least two: " + ", ".join(f'"{neutral(t)}"' for t in shared[:8]) + more


def _pair_words(pair: _Pair) -> str:
    lies = f"features {pair.first} and {pair.second}: directions of cosine {pair.cosine:.2f}"
    if not pair.together:
        return f"{lies}; they never fire on the same token of explore"
    where = ", ".join(f'"{neutral(t)}"' for t in pair.tokens)
    share = percent(pair.together / max(pair.fewer, 1))
    return (
        f"{lies}; they fire together on {pair.together:,} tokens of explore, {share} of the rarer one's, "
        f"most on {where}"
    )
