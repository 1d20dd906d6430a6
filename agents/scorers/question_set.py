"""The items of one method in the order in which every explanation of a feature is asked about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int

from glossator.agents.scorers.examples import Group
from glossator.agents.scorers.llm_settings import LlmScoringSettings


@dataclass(frozen=True)
class QuestionSet:
    """Texts with the truth about them, in reading order. Holds sealed text: it stays among the scorers."""

    texts: tuple[str, ...]
    """What the reader is shown of each."""
    group: Int[np.ndarray, " items"]
    """`Group`; in fuzzing, `RANDOM` is silent windows with marks and `HARD` wrongly marked ones."""
    document: Int[np.ndarray, " items"]
    """Document numbers."""
    position: Int[np.ndarray, " items"]
    """Centres, in the split's token stream."""
    left_out: Mapping[Group, Mapping[str, int]] = field(default_factory=dict[Group, Mapping[str, int]])
    """Reason to count, for items that could not be made into questions."""

    def __len__(self) -> int:
        return len(self.texts)

    def first_of_each_group(self, n: int) -> Int[np.ndarray, " chosen"]:
        """The items that are among the first `n` of their group."""
        rank = np.zeros(len(self), np.int64)
        for group in Group:
            members = self.group == group
            rank[members] = np.arange(int(members.sum()))
        return np.flatnonzero(rank < n)


def reading_order(
    group: Int[np.ndarray, " items"], settings: LlmScoringSettings, seed: int
) -> Int[np.ndarray, " order"]:
    """A seeded order in which every stage holds equally many of each group, mixed.

    Groups are cut at their most; where one runs out, the others go on. The make-up of a prompt tells
    nothing, because places within a stage are drawn for all groups together.
    """
    rng = np.random.default_rng(seed)
    most = {
        Group.FIRING: settings.max_firing,
        Group.RANDOM: settings.max_random,
        Group.HARD: settings.max_hard,
    }
    kept: list[np.ndarray] = []
    stage: list[np.ndarray] = []
    for member, limit in most.items():
        drawn = rng.permutation(np.flatnonzero(group == member))[:limit]
        kept.append(drawn)
        stage.append(np.maximum(0, np.arange(len(drawn)) - settings.first + settings.step) // settings.step)
    items, number = np.concatenate(kept), np.concatenate(stage)
    return items[np.lexsort((rng.random(len(items)), number))]


def stage_ends(
    group: Int[np.ndarray, " items"], settings: LlmScoringSettings, windows_per_prompt: int
) -> tuple[int, ...]:
    """After how many items, in reading order, a look is taken: whole prompts, all items at last."""
    counts = np.array([int((group == g).sum()) for g in Group])
    ends: list[int] = []
    per_group = settings.first
    while not ends or ends[-1] < len(group):
        wanted = int(np.minimum(counts, per_group).sum())
        end = min(len(group), -(-wanted // windows_per_prompt) * windows_per_prompt)
        if not ends or end > ends[-1]:
            ends.append(end)
        per_group += settings.step
    return tuple(ends)
