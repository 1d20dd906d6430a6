"""What all tools share: pages, checked arguments, and evidence that says how to measure it again.

A tool is a plain function from its arguments to a `ToolResult`; `tool_of` runs it off the event loop and
turns what a person would have to change into a `ToolError` for the planner.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

import glossator
from glossator.agents.tools.tool import AnyTool, Tool, ToolResult
from glossator.agents.tools.workbench import Workbench
from glossator.errors import ProbeError, ToolError, UserError
from glossator.records import DictionaryEvidence, Evidence, EvidenceKind, Record

PAGE = 10
"""Rows that a tool shows at once."""
LONGEST_TEXT = 2000
"""Characters of a text that a tool takes."""
A = TypeVar("A", bound=Record)
Row = TypeVar("Row")


def tool_of(
    name: str, description: str, arguments: type[A], measure: Callable[[A], ToolResult], *, slow: bool = False
) -> AnyTool:
    """A tool around a function that blocks."""

    async def run(given: A) -> ToolResult:
        try:
            return await asyncio.to_thread(measure, given)
        except (UserError, ProbeError) as error:
            raise ToolError(str(error)) from error

    return Tool[Any](name, description, arguments, run, slow=slow)


@dataclass(frozen=True)
class Paged(Generic[Row]):
    """One page of rows."""

    rows: Sequence[Row]
    first: int
    """Number of the first row, from 1."""
    total: int
    page: int

    @property
    def left_out(self) -> str:
        """What comes after this page; empty on the last."""
        more = self.total - (self.first - 1) - len(self.rows)
        return f"{more} more of {self.total}: page {self.page + 1}" if more > 0 else ""


def paged(rows: Sequence[Row], page: int, what: str = "results") -> Paged[Row]:
    """Page number `page` of `rows`, counted from 1; raises `ToolError` where there is no such page."""
    total, pages = len(rows), max(1, -(-len(rows) // PAGE))
    if not 1 <= page <= pages:
        raise ToolError(f"there is no page {page}: the {total} {what} fill pages 1 to {pages}")
    start = (page - 1) * PAGE
    return Paged(rows[start : start + PAGE], start + 1, total, page)


def page_start(page: int) -> int:
    """Number of the first row of a page, from 0; raises `ToolError` for a page below 1."""
    if page < 1:
        raise ToolError(f"there is no page {page}: pages are counted from 1")
    return (page - 1) * PAGE


def require_feature(bench: Workbench, feature: int) -> int:
    """`feature`; raises `ToolError` naming the range where the dictionary has no such feature."""
    last = bench.index.n_features - 1
    if not 0 <= feature <= last:
        raise ToolError(
            f"there is no feature {feature}: {bench.names.dictionary} has features 0 to {last}; find some "
            "with search_by_meaning, search_by_token, search_by_text or list_features"
        )
    return feature


def require_text(text: str, what: str = "text") -> str:
    """`text`; raises `ToolError` where it is empty or too long."""
    if not text.strip():
        raise ToolError(f"the {what} is empty: give some words")
    if len(text) > LONGEST_TEXT:
        raise ToolError(f"the {what} has {len(text):,} characters: give at most {LONGEST_TEXT:,}")
    return text


def require_count(items: Sequence[object], what: str, most: int, least: int = 1) -> None:
    """Raise `ToolError` unless there are `least` to `most` items."""
    if not least <= len(items) <= most:
        raise ToolError(f"{len(items)} {what} were given: give {least} to {most} at once")


def recipe_of(bench: Workbench, tool: str, arguments: Record, **more: object) -> dict[str, object]:
    """What to do to measure it again."""
    return {
        "tool": tool,
        "arguments": arguments.model_dump(mode="json"),
        "index": bench.index.identity,
        "seed": bench.seed,
        "code": glossator.__version__,
        **more,
    }


def of_feature(
    bench: Workbench,
    feature: int,
    kind: EvidenceKind,
    tool: str,
    arguments: Record,
    payload: object,
    **more: object,
) -> Evidence:
    """A measurement of one feature."""
    return Evidence.of(bench.ref(feature), kind, recipe_of(bench, tool, arguments, **more), payload)


def of_dictionary(
    bench: Workbench,
    features: Sequence[int],
    kind: EvidenceKind,
    tool: str,
    arguments: Record,
    payload: object,
    **more: object,
) -> DictionaryEvidence:
    """A measurement of no single feature."""
    recipe = recipe_of(bench, tool, arguments, **more)
    return DictionaryEvidence.of(bench.names, tuple(features), kind, recipe, payload)


def embedder_of(bench: Workbench) -> str | None:
    """What changes whenever embeddings do; None where there is no embedder."""
    fingerprint = getattr(bench.embedder, "fingerprint", None)
    if callable(fingerprint):
        return str(fingerprint())
    return None if bench.embedder is None else bench.embedder.name


def number(value: float | np.floating[Any]) -> float:
    """`value` to four digits, as payloads hold it: bf16 has no more."""
    return float(f"{float(value):.4g}")


def percent(share: float | np.floating[Any]) -> str:
    """A share in words: `12 %`, `0.031 %`."""
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"
