"""The whole report of a labelling run, computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from glossator.records import (
    Contradiction,
    Evidence,
    FeatureCard,
    ItemState,
    NamedEstimate,
    RunItem,
    RunPlan,
    RunQuestion,
    RunReport,
    RunSpending,
    StoredRunEvent,
)
from glossator.run_report.earlier_run import EarlierPairing, EarlierRun, difference
from glossator.run_report.gathering import Gathered
from glossator.run_report.label_tests import Q, false_discovery
from glossator.run_report.label_twins import Directions, Embed, near_directions, shared_labels
from glossator.run_report.nestings import CofiringOf, nestings
from glossator.run_report.run_costs import run_cost, unanswered
from glossator.run_report.run_history import coverage, history, pace
from glossator.run_report.score_tallies import reasons, run_question

CONTRADICTIONS = 20
"""Contradictions that are shown."""


def build_run_report(
    run: str,
    plan: RunPlan,
    items: Sequence[RunItem],
    events: Sequence[StoredRunEvent],
    cards: Iterable[FeatureCard],
    evidence: Callable[[str], Evidence | None],
    *,
    spending: RunSpending,
    ended: Sequence[int] = (),
    directions: Directions | None = None,
    cofiring: CofiringOf | None = None,
    embed: Embed | None = None,
    contradictions: Sequence[Contradiction] | None = (),
    earlier: EarlierRun | None = None,
    q: float = Q,
    seed: int = 0,
) -> RunReport:
    """What `run` came to.

    Args:
        run: Its id.
        plan: What was ordered.
        items: All its features.
        events: All that happened.
        cards: Of the features that were done, and of skipped ones that had one; read once, in order of
            features if the same run is to give the same report.
        evidence: Looks outcomes up by id, once for each label that was scored.
        spending: The bill.
        ended: When features ended, in milliseconds of the wall clock (Unix time).
        directions: What features write; None where the dictionary is not at hand.
        cofiring: On how many explore tokens features fire; None without an index.
        embed: Meanings of labels as vectors; None without a sentence embedder.
        contradictions: As `find_contradictions` gives them; None where nobody looked for them.
        earlier: A run to compare with.
        q: Share of false ones among the labels that hold.
        seed: Seed of everything that is drawn.

    """
    gathered = Gathered(
        EarlierPairing(earlier, plan.names) if earlier is not None else None,
        frozenset(i.feature.index for i in items if i.state is ItemState.SKIPPED),
    )
    gathered.read(cards)
    standings = gathered.standings
    labels = {f: c.label for f, c in gathered.claims.items()}
    shared = shared_labels(labels, embed)
    return RunReport(
        run=run,
        plan=plan,
        coverage=coverage(items, standings, gathered.unscored),
        history=history(events, ended),
        distributions=gathered.tallies.distributions(seed),
        deciding=_deciding(gathered),
        against_embedded=_against_embedded(gathered, seed),
        best=gathered.best(),
        worst=gathered.worst(),
        surprises=gathered.surprises.found(),
        surprise_counts=gathered.surprises.counts(),
        abstentions=gathered.abstentions(),
        unscored=reasons(unanswered(items)),
        rejected=reasons(gathered.rejected),
        discovery=false_discovery(
            standings.values(), evidence, gathered.tallies.reached_by_others(seed), seed=seed, q=q
        ),
        directions=near_directions(gathered.firing, labels, directions),
        shared_labels=shared.shown,
        shared_label_count=shared.n,
        shared_label_note=shared.note,
        nestings=nestings(gathered.claims, cofiring),
        contradictions=tuple((contradictions or ())[:CONTRADICTIONS]),
        contradiction_count=None if contradictions is None else len(contradictions),
        cost=run_cost(items, standings, spending, seed=seed),
        pace=pace(ended),
        earlier=gathered.earlier.found(seed=seed) if gathered.earlier is not None else None,
    )


def _against_embedded(gathered: Gathered, seed: int) -> tuple[NamedEstimate, ...]:
    return tuple(difference(name, values, seed) for name, values in gathered.differences.items())


def _deciding(gathered: Gathered) -> tuple[RunQuestion, ...]:
    """The questions that verdicts rest on, most frequent first."""
    asked = Counter(s.question for s in gathered.standings.values() if s.question is not None)
    return tuple(run_question(question) for question, _ in asked.most_common())
