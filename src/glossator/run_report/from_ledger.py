"""The report of a run that a ledger holds: what to read from where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from glossator.memory.labelling_runs import LabellingRunStore
from glossator.memory.ledger import Ledger
from glossator.memory.run_figures import ended_times
from glossator.memory.work_queue import WorkQueue
from glossator.probes.cofiring import Cofiring, cofiring
from glossator.probes.split_view import ExploreView
from glossator.records import Contradiction, FeatureCard, ItemState, RunItem, RunReport
from glossator.run_report.building import build_run_report
from glossator.run_report.earlier_run import EarlierRun
from glossator.run_report.label_twins import Directions, Embed
from glossator.run_status import run_spending

_SHOWN = (ItemState.DONE, ItemState.SKIPPED)
"""A skipped feature may have a card of an earlier run."""


def ledger_run_report(
    ledger: Ledger,
    run: str,
    *,
    directions: Directions | None = None,
    explore: ExploreView | None = None,
    embed: Embed | None = None,
    contradictions: Sequence[Contradiction] | None = (),
    earlier: str = "",
    seed: int = 0,
) -> RunReport:
    """What `run` came to.

    Args:
        ledger: Holds it.
        run: Its id.
        directions: What features write; None where the dictionary is not at hand.
        explore: Where features fire; None without an index.
        embed: Meanings of labels as vectors; None without an embedder that knows meanings.
        contradictions: As `find_contradictions` gives them; None where nobody looked for them.
        earlier: Id of a run to compare with; empty for none.
        seed: Seed of everything that is drawn.

    Raises:
        UnknownNameError: There is no such run.

    """
    store = LabellingRunStore(ledger)
    plan = store.plan(run)
    items = list(WorkQueue(ledger, run).items())
    before = None
    if earlier:
        store.plan(earlier)  # an unknown id is an error, not an empty comparison
        then = list(WorkQueue(ledger, earlier).items())
        same = _same_cards(then, items)
        others = (item for item in then if item.feature.index not in same)
        before = EarlierRun(earlier, _cards(ledger, others), same)
    view = explore

    def together(narrow: int, wide: int) -> Cofiring:
        assert view is not None
        return cofiring(view, narrow, wide)

    return build_run_report(
        run,
        plan,
        items,
        store.events(run),
        _cards(ledger, items),
        ledger.evidence,
        spending=run_spending(ledger, run),
        ended=ended_times(ledger, run),
        directions=directions,
        cofiring=None if view is None else together,
        embed=embed,
        contradictions=contradictions,
        earlier=before,
        seed=seed,
    )


def _cards(ledger: Ledger, items: Iterable[RunItem]) -> Iterator[FeatureCard]:
    """The cards of `items`, by feature, a few at a time."""
    shown = sorted((i for i in items if i.state in _SHOWN), key=lambda i: i.feature.index)
    ids = (item.card for item in shown if item.card is not None)
    return (stored.card for stored in ledger.cards_by_id(ids))


def _same_cards(then: Iterable[RunItem], now: Iterable[RunItem]) -> frozenset[int]:
    """Features that one of the two runs skipped because they had the card that the other shows, too."""
    before = {item.card: item.state for item in then if item.state in _SHOWN}
    return frozenset(
        item.feature.index
        for item in now
        if item.card is not None
        and item.state in _SHOWN
        and ItemState.SKIPPED in (item.state, before.get(item.card))
        and item.card in before
    )
