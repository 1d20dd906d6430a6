"""What `label --estimate` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glossator.commands.result_output import print_json_line, print_rich

if TYPE_CHECKING:
    from glossator.llm_work import Estimate
    from glossator.records import LlmSpending
else:
    Estimate = LlmSpending = Any


def print_estimate(estimate: Estimate, n_stored: int, *, machine: bool) -> None:
    """Print what the rest of a run is expected to take."""
    if machine:
        shown = {"calls", "input_tokens", "output_tokens", "usd"}
        print_json_line(
            {
                "features": estimate.features,
                "already_labelled": n_stored,
                "sampled": estimate.sampled,
                "total": estimate.total.model_dump(include=shown),
                "each": estimate.each.model_dump(include=shown),
            }
        )
        return
    from rich.table import Table

    table = Table("", "calls", "tokens in", "tokens out", "usd", box=None, pad_edge=False)
    for name, spending in ((f"{estimate.features} features", estimate.total), ("each", estimate.each)):
        table.add_row(name, *_cells(spending))
    print_rich(
        table,
        f"computed on {estimate.sampled} of them; {n_stored} more are labelled already. "
        "Answers that the ledger holds are not counted.",
    )


def _cells(spending: LlmSpending) -> tuple[str, ...]:
    usd = "unknown" if spending.usd is None else f"{spending.usd:.4f}"
    return (f"{spending.calls:,}", f"{spending.input_tokens:,}", f"{spending.output_tokens:,}", usd)
