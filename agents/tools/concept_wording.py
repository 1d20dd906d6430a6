"""What a concept's features and probe come to, in words and as plain JSON. Code writes every number."""

from __future__ import annotations

from glossator.agents.concepts.concept_texts import ConceptTexts, TextSource
from glossator.agents.concepts.discovery import Discovery, FoundFeature, Q
from glossator.agents.concepts.feature_groups import ALIKE_ACTIVATIONS, ALIKE_DIRECTIONS
from glossator.agents.concepts.probe_controls import FEATURE, PROBE, WORDS, ProbeRow, ProbeTable
from glossator.agents.scorers.concept_scores import SealedAuc
from glossator.agents.tools.tool import Fact
from glossator.errors import ToolError
from glossator.records import Interval

PAGE = 10
"""Groups on a page."""


def require_page(found: Discovery, page: int) -> None:
    """Raise `ToolError` where there is no such page."""
    pages = max(1, -(-len(found.groups) // PAGE))
    if page > pages:
        raise ToolError(f"there is no page {page}: the {len(found.groups)} groups fill pages 1 to {pages}")


def discovery_facts(
    texts: ConceptTexts, found: Discovery, page: int, evidence: str
) -> tuple[tuple[Fact, ...], str]:
    """Facts of one page, and what it leaves out."""
    facts = [Fact(_summary(texts, found), evidence)]
    facts.append(Fact(_sources(texts), evidence))
    numbers = {f.feature: f for f in found.found}
    shown = found.groups[(page - 1) * PAGE : page * PAGE]
    for group in shown:
        alike = _listed(group.members[1:])
        tail = f"; alike: {alike}" if alike else ""
        facts.append(Fact(_feature(numbers[group.best], texts) + tail, evidence, group.members))
    more = len(found.groups) - (page - 1) * PAGE - len(shown)
    left_out = [f"{more} more groups: page {page + 1}"] if more > 0 else []
    if found.n_found > len(found.found):
        left_out.append(f"{found.n_found - len(found.found)} weaker discoveries are not listed")
    return tuple(facts), "; ".join(left_out)


def discovery_sentence(texts: ConceptTexts, found: Discovery) -> str:
    """One line to remember."""
    aucs = ", ".join(f"{f.feature} ({f.sealed_auc.value:.2f})" for f in found.remembered())
    return (
        f"“{texts.concept}” is separated by features (AUC on {texts.judge.n_with} + {texts.judge.n_without} "
        f"sealed texts): {aucs}; texts: {texts.source}"
    )


def discovery_payload(texts: ConceptTexts, found: Discovery) -> dict[str, object]:
    """Plain JSON of a discovery, without a text."""
    return _texts_payload(texts) | {
        "tested": found.n_tested,
        "discoveries": found.n_found,
        "q": Q,
        "shuffled_best": {"mean": _round(found.shuffled.mean), "high": _round(found.shuffled.high)},
        "features": [
            {
                "feature": f.feature, "explore_auc": _round(f.explore_auc),
                "validate_auc": _round(f.validate_auc), "p": float(f"{f.p:.3g}"),
                "fires_with": _round(f.fires_with), "fires_without": _round(f.fires_without),
                "sealed_auc": _auc_payload(f.sealed_auc),
            }
            for f in found.found
        ],
        "groups": [list(g.members) for g in found.groups],
    }  # fmt: skip


def probe_facts(texts: ConceptTexts, table: ProbeTable, evidence: str) -> tuple[tuple[Fact, ...], str]:
    """The table as facts, and what was not measured."""
    features = () if table.feature is None else (table.feature,)
    facts = [Fact(probe_sentence(texts, table), evidence, features), Fact(_sources(texts), evidence)]
    facts += [Fact(_row(r), evidence, features if r.name == FEATURE else ()) for r in table.rows]
    left_out = "; ".join(f"{name}: {why}" for name, why in table.skipped.items())
    return tuple(facts), left_out


def probe_sentence(texts: ConceptTexts, table: ProbeTable) -> str:
    """What the table comes to, in one line."""
    aucs = {r.name: r.sealed_auc for r in table.rows}
    said = f"a linear probe for “{texts.concept}” reaches AUC {_auc(aucs[PROBE])} on sealed texts"
    said += f"; {_against('a bag of words', aucs[WORDS], table.over_words)}"
    if table.over_feature is not None:
        said += f"; {_against(f'feature {table.feature}', aucs[FEATURE], table.over_feature)}"
    return said


def probe_payload(texts: ConceptTexts, table: ProbeTable) -> dict[str, object]:
    """Plain JSON of a probe, without a text."""
    rows = [
        {
            "name": r.name, "how": r.how, "sealed_auc": _auc_payload(r.sealed_auc),
            "validate_auc": None if r.validate_auc is None else _round(r.validate_auc),
        }
        for r in table.rows
    ]  # fmt: skip
    over_feature = None if table.over_feature is None else _interval_payload(table.over_feature)
    return _texts_payload(texts) | {
        "rows": rows,
        "skipped": dict(table.skipped),
        "over_words": _interval_payload(table.over_words),
        "over_feature": over_feature,
    }


def _against(name: str, auc: SealedAuc, over: Interval) -> str:
    if over.low > 0:
        verdict = "the probe is better"
    elif over.high < 0:
        verdict = "it is better than the probe"
    else:
        verdict = "the probe is not shown to be better"
    return f"{name} reaches {auc.value:.2f}: {verdict} (difference {over.low:+.2f} to {over.high:+.2f})"


def _summary(texts: ConceptTexts, found: Discovery) -> str:
    best = f"the best feature under shuffled labels reaches AUC {found.shuffled.mean:.2f} on sealed texts "
    best += f"(97.5 % quantile {found.shuffled.high:.2f})"
    of = f"of {found.n_tested:,} features that fire on the texts"
    if not found.n_found:
        return f"no feature {of} separates “{texts.concept}” at a false discovery rate of {Q:.0%}; {best}"
    return (
        f"{found.n_found} {of} separate “{texts.concept}” at a false discovery rate of {Q:.0%}; the best "
        f"{len(found.found)} form {len(found.groups)} groups (alike from correlation {ALIKE_ACTIVATIONS:g} "
        f"within a class, or cosine {ALIKE_DIRECTIONS:g}), and {sum(f.holds for f in found.found)} of them "
        f"hold on sealed texts (interval above 0.5); {best}"
    )


def _sources(texts: ConceptTexts) -> str:
    judge = texts.judge
    counts = (
        f"explore {texts.explore.n_with} + {texts.explore.n_without}, validate {texts.validate.n_with} + "
    )
    counts += f"{texts.validate.n_without}, sealed {judge.n_with} + {judge.n_without} (with + without)"
    return f"texts ({texts.source}): {texts.how}; {counts}"


def _feature(found: FoundFeature, texts: ConceptTexts) -> str:
    doubt = "" if found.holds else ", where it is not shown"
    return (
        f"feature {found.feature}: AUC {_auc(found.sealed_auc)} on sealed texts{doubt} "
        f"(n {texts.judge.n_with} + {texts.judge.n_without}), "
        f"{found.validate_auc:.2f} on validate, p {found.p:.1g}; fires on "
        f"{found.fires_with:.0%} of texts with the concept and {found.fires_without:.0%} of those without"
    )


def _row(row: ProbeRow) -> str:
    chosen = "" if row.validate_auc is None else f", {row.validate_auc:.2f} on validate"
    return f"{row.name} ({row.how}): AUC {_auc(row.sealed_auc)} on sealed texts{chosen}"


def _auc(auc: SealedAuc) -> str:
    return f"{auc.value:.2f} [{auc.interval.low:.2f}, {auc.interval.high:.2f}]"


def _listed(features: tuple[int, ...], limit: int = 8) -> str:
    said = ", ".join(map(str, features[:limit]))
    return said if len(features) <= limit else f"{said} and {len(features) - limit} more"


def _texts_payload(texts: ConceptTexts) -> dict[str, object]:
    """Names of texts and labels; of sealed ones, names alone."""
    parts = {"explore": texts.explore, "validate": texts.validate}
    named: dict[str, object] = {
        name: {"ids": list(part.ids), "has": [bool(h) for h in part.has]} for name, part in parts.items()
    }
    judge = texts.judge
    named["held_back"] = {"ids": list(judge.ids), "with": judge.n_with, "without": judge.n_without}
    corpus = {"how": texts.how} if texts.source is TextSource.CORPUS else {}
    return {"concept": texts.concept, "source": str(texts.source), "texts": named, **corpus}


def _auc_payload(auc: SealedAuc) -> dict[str, object]:
    return {**_interval_payload(auc.interval), "value": _round(auc.value)}


def _interval_payload(interval: Interval) -> dict[str, object]:
    return {"low": _round(interval.low), "high": _round(interval.high), "method": interval.method}


def _round(value: float) -> float:
    """Six digits: the rest differs between machines."""
    return round(value, 6)
