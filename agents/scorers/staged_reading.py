"""One explanation and its baselines, read on the same items: in stages, until enough is known."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Int8

from glossator.agents.llm_calls.all_finished import all_finished
from glossator.agents.scorers.compared import Compared
from glossator.agents.scorers.examples import Group
from glossator.agents.scorers.llm_settings import LlmScoringSettings
from glossator.agents.scorers.question_set import QuestionSet, stage_ends
from glossator.agents.scorers.sequential import Bootstrap, Stopped, counts_against, settled
from glossator.agents.window_reading.reader import NO_CLAIM, Readings
from glossator.records import Explanation

Ask = Callable[[str, Sequence[str]], Awaitable[Readings]]
"""A claim and texts to readings: `LlmReader.detect` or `LlmReader.fuzz`."""


class PartReading(NamedTuple):
    """Readings of some of the items."""

    at: Int[np.ndarray, " part"]
    """Which items, in reading order."""
    readings: Readings


class StagedReading(NamedTuple):
    """What was read of a question set; the items from `len(main)` on were not needed."""

    main: Readings
    stopped: Stopped
    shuffled: PartReading | None
    """Other features' explanations, each item read with one of them; None where not measured."""
    empty: PartReading | None
    analyst: PartReading | None
    """The embedded analyst's label on the items of the first stage."""


async def read_in_stages(
    ask: Ask,
    compared: Compared,
    questions: QuestionSet,
    settings: LlmScoringSettings,
    *,
    windows_per_prompt: int,
    bootstrap: Bootstrap,
) -> StagedReading:
    """Read the explanation until the rule of `sequential.py` ends it, then its baselines.

    The parts that prompts are cut into are the same for every explanation of the feature, so that a
    question asked for one of them is answered from the ledger for another.

    Assumes at least one firing item and one negative.
    """
    parts: list[Readings] = []
    begin, stopped = 0, Stopped.EXHAUSTED
    ends = stage_ends(questions.group, settings, windows_per_prompt)
    for end in ends:
        parts.append(await ask(compared.explanation.text, questions.texts[begin:end]))
        begin = end
        found = _verdict(questions, _said(parts, questions, settings, bootstrap), settings, bootstrap)
        if found is not None:
            stopped = found
            break
    main = Readings.joined(parts)
    if stopped is Stopped.UNANSWERED:
        return StagedReading(main, stopped, None, None, None)
    early = questions.first_of_each_group(settings.n_baseline)
    early, first_stage = early[early < len(main)], np.arange(min(ends[0], len(main)))
    shuffled, empty, analyst = await all_finished(
        (
            _read_shuffled(ask, compared.donors, questions, early, settings.donors_read, windows_per_prompt),
            _read_part(ask, NO_CLAIM, questions, early),
            _read_part(ask, _text(compared.analyst), questions, first_stage),
        )
    )
    return StagedReading(main, stopped, shuffled, empty, analyst)


def _said(
    parts: Sequence[Readings],
    questions: QuestionSet,
    settings: LlmScoringSettings,
    bootstrap: Bootstrap,
) -> Int8[np.ndarray, " read"]:
    """The answers so far, or for an estimate the truth with a share of errors."""
    fires = np.concatenate([part.fires for part in parts])
    if settings.assumed_accuracy is None:
        return fires
    wrong = np.random.default_rng(bootstrap.seed).random(len(questions)) >= settings.assumed_accuracy
    return ((questions.group == Group.FIRING) ^ wrong)[: len(fires)].astype(np.int8)


def _verdict(
    questions: QuestionSet,
    fires: Int8[np.ndarray, " read"],
    settings: LlmScoringSettings,
    bootstrap: Bootstrap,
) -> Stopped | None:
    if not (fires >= 0).any():
        return Stopped.UNANSWERED
    n = len(fires)
    states: list[Stopped] = []
    for negatives in (Group.RANDOM, Group.HARD):
        if not (questions.group == negatives).any():
            continue
        counts = counts_against(fires, questions.group[:n], questions.document[:n], negatives)
        state = None if counts is None else settled(counts, bootstrap, settings.half_width)
        if state is None or (state is Stopped.CLEAR and not settings.stop_when_clear):
            return None
        states.append(state)
    return Stopped.PRECISE if all(s is Stopped.PRECISE for s in states) else Stopped.CLEAR


def _text(explanation: Explanation | None) -> str | None:
    return None if explanation is None else explanation.text


async def _read_part(
    ask: Ask, claim: str | None, questions: QuestionSet, at: Int[np.ndarray, " part"]
) -> PartReading | None:
    if claim is None or not len(at):
        return None
    return PartReading(at, await ask(claim, [questions.texts[i] for i in at.tolist()]))


async def _read_shuffled(
    ask: Ask,
    donors: Sequence[Explanation],
    questions: QuestionSet,
    at: Int[np.ndarray, " part"],
    donors_read: int,
    windows_per_prompt: int,
) -> PartReading | None:
    """Each prompt with the next donor's claim; smaller prompts where few donors would get a turn."""
    if not len(at) or not donors:
        return None
    turns = max(1, min(len(donors), donors_read))
    size = max(1, min(windows_per_prompt, len(at) // turns))
    cuts = [at[i : i + size] for i in range(0, len(at), size)]
    asked = await all_finished(
        ask(donors[i % len(donors)].text, [questions.texts[j] for j in cut.tolist()])
        for i, cut in enumerate(cuts)
    )
    return PartReading(at, Readings.joined(asked))
