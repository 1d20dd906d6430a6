"""The tool that hands one feature to an investigator, and puts what it came to into facts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from glossator.agents.tools.tool import AnyTool, Fact, Tool, ToolResult
from glossator.errors import ToolError
from glossator.prompts.fence import neutral
from glossator.records import FeatureInvestigation, Record

INVESTIGATE = "investigate_feature"
Investigate = Callable[[int], Awaitable[FeatureInvestigation]]
"""Investigates one feature, or takes the investigation from the ledger."""


class InvestigateAsked(Record):
    """What `investigate_feature` is given."""

    feature: int
    """The feature's number."""


def investigate_tool(investigate: Investigate, n_features: int) -> AnyTool:
    """The tool; `n_features` is how many the dictionary has."""

    async def run(given: InvestigateAsked) -> ToolResult:
        if not 0 <= given.feature < n_features:
            raise ToolError(f"there is no feature {given.feature}: the dictionary has 0 to {n_features - 1}")
        found = await investigate(given.feature)
        if not found.evidence:
            raise ToolError(f"investigating feature {given.feature} measured nothing: {found.verdict.reason}")
        return ToolResult(tuple(investigated_facts(found)), ())

    return Tool[Any](
        INVESTIGATE,
        "Finds out what one feature means: competing hypotheses, experiments that could refute them, a "
        "scored label and a verdict. Takes a minute or more; for a quick look use feature_card.",
        InvestigateAsked,
        run,
        slow=True,
    )


def investigated_facts(found: FeatureInvestigation) -> Iterator[Fact]:
    """What an investigation came to, most important first."""
    feature, last = found.feature.index, (found.experiments or found.evidence)[-1]
    label = found.explanation
    behind = (label.evidence if label is not None else ()) or found.evidence

    def fact(words: str, evidence: str) -> Fact:
        return Fact(f"feature {feature} {words}", evidence, (feature,))

    said = "no label" if label is None else f'"{neutral(label.text)}"'
    yield fact(f"was investigated: {said}, {found.verdict.kind.value}: {found.verdict.reason}", behind[0])
    if found.f1 is not None:
        baseline = "" if found.baseline_f1 is None else f", the one-shot label's is {found.baseline_f1:.2f}"
        yield fact(f"has a label whose F1 on sealed texts is {found.f1:.2f}{baseline}", behind[0])
    for facet in found.facets:
        told = f'"{neutral(facet.text)}" covers {facet.share:.0%} of its firing windows'
        yield fact(f"has several meanings, of which {told}", last)
    for region in found.exceptions:
        yield fact(
            f'is silent although its label would hold: "{neutral(region.text)}" (n = {region.n})', last
        )
    for minimal in found.minimal[:3]:
        yield fact(f'still fires on nothing but "{neutral(minimal.kept)}"', last)
    texts = {h.id: h.text for h in found.hypotheses}
    for refuted in found.refuted[:5]:
        if refuted in texts:
            yield fact(f'does not mean "{neutral(texts[refuted])}": experiments refuted it', last)
