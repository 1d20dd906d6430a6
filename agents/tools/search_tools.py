"""Finding features: by what their labels mean, by running a text through the subject, or by listing them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from glossator.agents.tools.known_labels import Labels, called, known_labels, label_row
from glossator.agents.tools.measuring import (
    PAGE,
    Paged,
    embedder_of,
    number,
    of_dictionary,
    page_start,
    paged,
    percent,
    require_text,
    tool_of,
)
from glossator.agents.tools.tool import AnyTool, Fact, ToolResult
from glossator.agents.tools.workbench import Workbench
from glossator.errors import ToolError
from glossator.memory.current_labels import CurrentLabel
from glossator.probes.sentence_embedder import HashingEmbedder
from glossator.records import EvidenceKind, Record, VerdictKind

LEAST_ALIKE = 0.3
"""Cosine below which a sentence embedder's labels are about something else: labels of different things that
were measured had mostly 0.09 to 0.3, related ones 0.35 to 0.77."""
BY_MEANING, BY_TEXT, LIST = "search_by_meaning", "search_by_text", "list_features"


class Near(NamedTuple):
    """A labelled feature and how near its label is in meaning."""

    feature: int
    similarity: float
    """Cosine."""


class SearchByMeaning(Record):
    """What `search_by_meaning` is given."""

    text: str
    """What the features should be about, in words, such as `legal language`."""
    page: int = 1
    """Which ten results, from 1."""


class SearchByText(Record):
    """What `search_by_text` is given."""

    text: str
    """A text for the subject to read, such as `The court ruled that`."""
    page: int = 1
    """Which ten results, from 1."""


class ListFeatures(Record):
    """What `list_features` is given."""

    by: Literal["density", "max", "verdict"]
    """`density`: most often firing first; `max`: strongest first; `verdict`: labelled ones, best first."""
    page: int = 1
    """Which ten results, from 1."""


def search_tools(bench: Workbench) -> list[AnyTool]:
    """The tools of this module over one bench."""
    return [
        tool_of(
            BY_MEANING,
            "Finds labelled features whose label is near in meaning to some words. Only labelled features "
            "can be found this way; search_by_token and search_by_text find all.",
            SearchByMeaning,
            lambda given: by_meaning(bench, given),
        ),
        tool_of(
            BY_TEXT,
            "Runs a text through the subject and finds the features that fire most on it, compared with "
            "their own strongest firing in the corpus.",
            SearchByText,
            lambda given: by_text(bench, given),
        ),
        tool_of(
            LIST,
            "Lists features by how often they fire, how strongly they fire, or by verdict.",
            ListFeatures,
            lambda given: listed(bench, given),
        ),
    ]


def by_meaning(bench: Workbench, given: SearchByMeaning) -> ToolResult:
    """Labels near in meaning; raises `ToolError` where there is no embedder, or nothing is labelled."""
    text = require_text(given.text)
    labels = known_labels(bench)
    standing = [known for known in labels.values() if known.stands]
    if not standing:
        raise ToolError(
            f"none of the {bench.index.n_features:,} features has a label yet: use search_by_token or "
            "search_by_text, or label some with label_features"
        )
    start = page_start(given.page)
    near = _nearest(bench, text, standing, start + PAGE)
    page = paged(standing, given.page, "labelled features")
    shown = _alike(bench, near[start : start + PAGE])
    if not shown:
        raise ToolError(_nothing_near(labels, near, len(standing), text))
    coverage = f"{len(standing):,} of {bench.index.n_features:,} features have a label that stands"
    rows = [{**label_row(labels, feature), "similarity": number(value)} for feature, value in shown]
    evidence = of_dictionary(
        bench, [feature for feature, _ in shown], EvidenceKind.SEARCH, BY_MEANING, given,
        {"labelled": len(standing), "rows": rows}, embedder=embedder_of(bench),
    )  # fmt: skip
    facts = [
        Fact(f"{called(labels, feature)}, similarity {value:.2f} to the words", evidence.id, (feature,))
        for feature, value in shown
    ]
    return ToolResult((*facts, Fact(coverage, evidence.id)), (evidence,), page.left_out)


def _alike(bench: Workbench, near: Sequence[Near]) -> list[Near]:
    """Those that may well mean it; a hashing embedder knows words alone, so all of its."""
    if isinstance(bench.embedder, HashingEmbedder):
        return list(near)
    return [one for one in near if one.similarity >= LEAST_ALIKE]


def _nothing_near(labels: Labels, near: Sequence[Near], n: int, text: str) -> str:
    nearest = f"{called(labels, near[0].feature)} at {near[0].similarity:.2f}"
    return (
        f"none of {n:,} labels is near in meaning to {text!r} (the nearest is {nearest}, and below "
        f"{LEAST_ALIKE} labels are about something else): use discover_features or search_by_text, which "
        "need no labels"
    )


def by_text(bench: Workbench, given: SearchByText) -> ToolResult:
    """Features that fire on a text, relative to their own maximum on `explore`."""
    text = require_text(given.text)
    found = bench.activations().maxima([text])
    largest = bench.index.statistics.max[found.feature]
    known = largest > 0
    feature, activation = found.feature[known], found.activation[known]
    relative = activation / largest[known]
    order = np.lexsort((feature, -relative))
    page = paged(order.tolist(), given.page, "firing features")
    labels = known_labels(bench, feature[page.rows].tolist())
    shown = [(int(feature[i]), float(activation[i]), float(relative[i])) for i in page.rows]
    unseen = int(np.count_nonzero(~known))
    rows = [
        {**label_row(labels, f), "activation": number(a), "of_maximum": number(r)} for f, a, r in shown
    ]  # fmt: skip
    evidence = of_dictionary(
        bench, [f for f, _, _ in shown], EvidenceKind.SEARCH, BY_TEXT, given,
        {"firing": len(order), "never_on_explore": unseen, "rows": rows},
    )  # fmt: skip
    facts = [
        Fact(
            f"{called(labels, f)} fires {a:.3g} on it, {percent(r)} of its maximum in the corpus",
            evidence.id,
            (f,),
        )
        for f, a, r in shown
    ]
    summary = f"{len(order):,} of {bench.index.n_features:,} features fire on the text"
    if unseen:
        summary += f", and {unseen} more that never fire in the corpus"
    return ToolResult((*facts, Fact(summary, evidence.id)), (evidence,), page.left_out)


def listed(bench: Workbench, given: ListFeatures) -> ToolResult:
    """Features in one order; raises `ToolError` for the verdicts where nothing was looked at."""
    statistics = bench.index.statistics
    if given.by == "verdict":
        labels = known_labels(bench)
        if not labels:
            raise ToolError("no feature has a verdict yet: list them by density or max, or label some")
        page = paged(_by_verdict(labels), given.page, "features with a verdict")
    else:
        key = statistics.density if given.by == "density" else statistics.max
        live = np.flatnonzero(key > 0)
        page = paged(live[np.argsort(-key[live], kind="stable")].tolist(), given.page, "live features")
        labels = known_labels(bench, page.rows)
    rows = [
        {
            **label_row(labels, f),
            "density": number(statistics.density[f]),
            "maximum": number(statistics.max[f]),
        }
        for f in page.rows
    ]
    evidence = of_dictionary(
        bench, page.rows, EvidenceKind.SEARCH, LIST, given, {"listed": page.total, "rows": rows}
    )
    return ToolResult(_list_facts(page, labels, rows, evidence.id), (evidence,), page.left_out)


def _list_facts(
    page: Paged[int], labels: Labels, rows: Sequence[dict[str, Any]], evidence: str
) -> tuple[Fact, ...]:
    return tuple(
        Fact(
            f"{called(labels, f)} fires on {percent(row['density'])} of tokens, at most {row['maximum']:.3g}",
            evidence,
            (f,),
        )
        for f, row in zip(page.rows, rows, strict=True)
    )


def _by_verdict(labels: Labels) -> list[int]:
    order = (VerdictKind.ACCEPTED, VerdictKind.TENTATIVE, VerdictKind.ABSTAINED)
    return sorted(labels, key=lambda f: (order.index(labels[f].verdict), f))


def _nearest(bench: Workbench, text: str, standing: Sequence[CurrentLabel], k: int) -> list[Near]:
    """Features whose labels are nearest to `text`, with cosines; from the findings index if there is one."""
    if bench.findings is not None:
        where = {"subject": bench.names.subject, "dictionary": bench.names.dictionary}
        found = bench.findings().search(text, k, where)
        return [Near(finding.feature.index, finding.similarity) for finding in found]
    if bench.embedder is None:
        raise ToolError("there is no sentence embedder here: use search_by_token or search_by_text")
    points = bench.embedder.embed([text, *(known.text for known in standing)])
    cosine = points[1:] @ points[0]
    order = np.argsort(-cosine, kind="stable")[:k]
    return [Near(standing[i].feature, float(cosine[i])) for i in order]
