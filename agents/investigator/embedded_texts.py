"""The texts that the embedded proposer wants run: rows made from windows, in pools by purpose."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import zip_longest

import numpy as np

from glossator.agents.embedded_analyst.corpus_statistics import Key
from glossator.agents.investigator.exception_regions import Ground, drafted
from glossator.agents.investigator.outcome_ground import Outcomes, Speller, holds_in
from glossator.agents.investigator.proposer import Observed, Standing, TestBatch
from glossator.agents.investigator.rule_slots import reach
from glossator.agents.investigator.slot_candidates import SlotCandidates, SlotFinder
from glossator.agents.investigator.substitution import (
    GROUP,
    LEFT,
    Place,
    Row,
    firing_places,
    grouped,
    read_rows,
    silent_places,
    tests_of,
)
from glossator.agents.scorers.examples import seed_of
from glossator.records import ExperimentKind, Predicate

_FREQUENT = 24
_DISAGREEING = 160
_NEAR = 3
"""Tokens before the firing one that a rule may look at, so that several rows can share a text."""

Pools = dict[ExperimentKind, list[list[Row]]]


class EmbeddedTexts:
    """Rows for one leader at one moment; needs a leader with a predicate."""

    def __init__(
        self, finder: SlotFinder, speller: Speller, observed: Observed, standing: Standing, ground: Ground
    ) -> None:
        assert standing.leader is not None
        assert standing.leader.predicate is not None
        self._finder, self._observed, self._standing = finder, observed, standing
        self._ground, self._rule = ground, standing.leader.predicate
        self._outcomes = Outcomes(speller, standing.experiments)
        self._rng = np.random.default_rng(seed_of(observed.feature, f"texts {len(self._outcomes.tried)}"))
        left = max(LEFT, min(32, reach(self._rule) + 1))
        places = firing_places(observed.shown.windows, observed.threshold, left)
        self._places = [places[i] for i in self._rng.permutation(len(places))]
        silent = silent_places(observed.shown.silent_windows, left)
        self._silent = [silent[i] for i in self._rng.permutation(len(silent))]

    def experiments(self) -> Pools:
        """Substitutions and shifted contexts."""
        slots = self._slots
        return {
            ExperimentKind.SUBSTITUTION: [
                [r for s in slots for r in self._singles(s, s.left_out, "fired once, and was left out")],
                [r for s in slots for r in self._unseen(s)],
                self._disagreement(),
                [r for s in slots for r in self._singles(s, s.doubtful, "hardly seen")],
            ],
            ExperimentKind.TEXTS: [self._shifted()],
        }

    def challenges(self) -> Pools:
        """Boundary cases and minimal pairs."""
        return {
            ExperimentKind.MINIMAL_PAIRS: [self._pairs()],
            ExperimentKind.BOUNDARY: [
                [r for s in self._slots for r in self._singles(s, s.left_out, "near the members")],
                [r for s in self._slots for r in self._unseen(s)],
                self._disagreement(),
            ],
        }

    def batches(self, pools: Pools, n: int) -> list[TestBatch]:
        """Up to `n` new texts, from all pools in turn, as one batch for each kind."""
        leader = self._standing.leader
        assert leader is not None
        known = {t.text for t in self._outcomes.tried}
        queue = [
            (kind, row)
            for turn in zip_longest(
                *[[(k, r) for r in rows] for k, all_of in pools.items() for rows in all_of]
            )
            for kind, row in (entry for entry in turn if entry is not None)
        ]
        chosen: dict[ExperimentKind, list[Row]] = {}
        for kind, row in queue:
            partner = row.pair >= 0  # pairs stay whole, though one of the two was run before
            if n > 0 and (partner or row.text not in known):
                chosen.setdefault(kind, []).append(row)
                known.add(row.text)
                n -= 1
        made = {kind: tests_of(rows, self._rule) for kind, rows in chosen.items()}
        return [TestBatch(leader.id, kind, tuple(tests)) for kind, tests in made.items() if tests]

    @cached_property
    def _slots(self) -> list[SlotCandidates]:
        return self._finder.of(self._rule, self._ground.target)

    @cached_property
    def _fired(self) -> frozenset[str]:
        return frozenset(self._outcomes.fired_tokens(0)) | frozenset(self._outcomes.fired_tokens(-1))

    @cached_property
    def _silences(self) -> dict[str, int]:
        return self._outcomes.silent_tokens()

    def _places_of(self, slot: SlotCandidates) -> list[Place]:
        """Firing places that the slot's own alternative explains; all of them if there is none."""
        rows = [Row((*p.before, p.token, *p.after), "") for p in self._places]
        if not rows:
            return []
        holds = holds_in(read_rows(rows), slot.branch).tolist()
        own = [p for p, held in zip(self._places, holds, strict=True) if held]
        return own or self._places

    def _singles(self, slot: SlotCandidates, tokens: Sequence[str], why: str) -> list[Row]:
        """One text for each token that experiments have not settled yet, each in another context."""
        places = self._places_of(slot)
        open_ = [t for t in tokens if t not in self._fired and self._silences.get(t, 0) < 2]
        return [
            places[i % len(places)].with_token(slot.slot.shift, token, f"{why}: {token.strip()}")
            for i, token in enumerate(open_)
            if places
        ]

    def _unseen(self, slot: SlotCandidates) -> list[Row]:
        """Tokens like the members, several to a text where the rule looks at few tokens."""
        new = [t for t in slot.unseen if t not in self._fired and not self._silences.get(t)]
        places = self._places_of(slot)
        if reach(slot.branch) > _NEAR:
            return self._singles(slot, new[:GROUP], "like the members")
        return grouped(places, slot.slot.shift, new[: GROUP * 24], "like the members, never seen here")

    def _shifted(self) -> list[Row]:
        """Firing tokens in silent windows, and with another token before them."""
        rows: list[Row] = []
        for i, place in enumerate(self._places):
            if self._silent:
                silent = self._silent[i % len(self._silent)]
                rows.append(silent.with_token(0, place.token, f"{place.token.strip()} where it is silent"))
            token = self._before[i % len(self._before)]
            rows.append(place.with_token(-1, token, f"after {token.strip()!r}"))
        return rows

    def _pairs(self) -> list[Row]:
        """A firing context, and the same with another token before, or none."""
        rows: list[Row] = []
        for i, place in enumerate(self._places):
            whole = Row((*place.before, place.token, *place.after), "as it fires", i)
            if i % 3 == 2:
                rows += [whole, place.without_previous("the token before left out", i)]
                continue
            token = self._before[i % len(self._before)]
            rows += [whole, place.with_token(-1, token, f"after {token.strip()!r}", i)]
        return rows

    @cached_property
    def _before(self) -> list[str]:
        """Tokens to put before: those after which the rule held in silence, then frequent ones."""
        stats, target = self._ground.stats, self._ground.target
        at = drafted(self._ground, self._rule).at
        quiet = stats.keys[Key.PREVIOUS][at[target.wanted[at] == 0]]
        value, count = np.unique(quiet, return_counts=True)
        suspects = value[np.argsort(-count, kind="stable")][:8].tolist()
        frequent = np.argsort(-stats.counts[Key.TOKEN][:-1], kind="stable")[:_FREQUENT]
        order = [*suspects, *self._rng.permutation(frequent).tolist()]
        names = [stats.name(Key.TOKEN, v) for v in order if v < stats.size(Key.TOKEN) - 1]
        return [t for t in dict.fromkeys(names) if t.strip() and not t.startswith("<")] or [" the"]

    def _disagreement(self) -> list[Row]:
        """Rare tokens of which the hypotheses in play say different things."""
        rules = [h.predicate for h in self._standing.hypotheses[:4] if h.predicate is not None]
        if len(rules) < 2 or not self._places:
            return []
        counts = self._ground.stats.counts[Key.TOKEN][:-1]
        texts = self._ground.stats.text.vocabulary.texts
        rare = [i for i in np.flatnonzero(counts <= 2).tolist() if texts[i].strip().isalpha()]
        drawn = self._rng.permutation(rare)[: 8 * _DISAGREEING].tolist()
        new = [texts[i] for i in drawn if texts[i] not in self._fired and not self._silences.get(texts[i])]
        rows = [
            self._places[i % len(self._places)].with_token(0, token, f"told apart by: {token.strip()}")
            for i, token in enumerate(new)
        ]
        return self._divided(rows, rules)

    def _divided(self, rows: Sequence[Row], rules: Sequence[Predicate]) -> list[Row]:
        """The rows on which the rules differ, in random order."""
        if not rows:
            return []
        read = read_rows(rows)
        says = np.stack([holds_in(read, rule) for rule in rules])
        differ = says.any(axis=0) & ~says.all(axis=0)
        return [rows[i] for i in np.flatnonzero(differ).tolist()]
