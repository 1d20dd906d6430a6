"""Where prompts come from, against a text and firings that are drawn at random."""

from __future__ import annotations

import numpy as np
import pytest
from jaxtyping import Float, Int

from glossator.errors import ProbeError
from glossator.probes.interventions.openers import KINDS, openers_of
from glossator.probes.interventions.runs import InterventionRuns
from glossator.probes.interventions.steering_prompts import SteeringPrompt, draw_prompts
from glossator.probes.split_view import ArrayFirings, ExploreView, Firings, ValidateView
from glossator.probes.subject import Subject
from glossator.probes.tiny_subject import tiny_subject
from glossator.probes.token_text import DocumentInfo, TokenText
from glossator.records import ContextFamily, Split

OPENERS, SILENT, FIRING = ContextFamily
SUBJECT = tiny_subject("llama")
RUNS = InterventionRuns(SUBJECT)
PREFIX = SUBJECT.row_prefix
LARGEST = 10.0


def made_text(seed: int = 0, documents: int = 30, longest: int = 60) -> TokenText:
    """Two rows a document, each with the row prefix; a few special tokens within."""
    rng = np.random.default_rng(seed)
    special = int(np.flatnonzero(SUBJECT.vocabulary.special)[0])
    rows: list[Int[np.ndarray, " n"]] = []
    for _ in range(2 * documents):
        body = rng.integers(3, len(SUBJECT.vocabulary), rng.integers(2, longest))
        body[rng.random(len(body)) < 0.01] = special
        rows.append(np.concatenate([np.asarray(PREFIX, np.int64), body]))
    return TokenText(
        ids=np.concatenate(rows).astype(np.int32),
        row_start=np.concatenate([[0], np.cumsum([len(r) for r in rows])]).astype(np.int64),
        row_document=np.repeat(np.arange(documents), 2).astype(np.int32),
        documents=[DocumentInfo(f"d{i}", "", "") for i in range(documents)],
        vocabulary=SUBJECT.vocabulary,
    )


def made_view(density: float, seed: int = 0, documents: int = 30, longest: int = 60) -> ValidateView:
    text, rng = made_text(seed, documents, longest), np.random.default_rng(seed + 1)
    position = np.flatnonzero((rng.random(len(text)) < density) & text.eligible)
    activation = rng.uniform(0.1, LARGEST, len(position)).astype(np.float32)
    if len(position):
        activation[0] = LARGEST
    return ValidateView(ArrayFirings(text, [Firings(position, activation)]))


def places(view: ValidateView, prompt: SteeringPrompt) -> tuple[int, Float[np.ndarray, " tokens"]]:
    """Where a prompt of the corpus ends in the stream, and the activations on it and on the next token."""
    text, dense = view.text, view.dense(0)
    body = np.asarray(prompt.ids[len(PREFIX) :])
    stream = np.lib.stride_tricks.sliding_window_view(text.ids, len(body))
    for start in np.flatnonzero((stream == body).all(axis=1)).tolist():
        stop = start + len(body)
        row = int(text.row_of[start])
        if text.documents[int(text.row_document[row])].id == prompt.document:
            assert stop <= text.row_start[row + 1], "within one row"
            return stop, dense[start : stop + 1]
    raise AssertionError(f"{prompt} is not in its document")


def families(prompts: tuple[SteeringPrompt, ...]) -> dict[ContextFamily, int]:
    return {family: sum(p.family is family for p in prompts) for family in ContextFamily}


def test_openers_are_parted_evenly_and_nothing_is_in_two_splits() -> None:
    texts = {split: [o.text for kind in openers_of(split) for o in kind] for split in Split}
    everything = [text for part in texts.values() for text in part]
    assert len(set(everything)) == len(everything) == sum(map(len, KINDS)) == 60
    assert {len(part) for part in texts.values()} == {20}
    assert all(len(kind) == 5 for split in Split for kind in openers_of(split))
    assert not [text for text in everything if text != text.rstrip(" \t") or not text]
    names = [o.name for split in Split for kind in openers_of(split) for o in kind]
    assert len(set(names)) == 60


def test_prompts_of_two_splits_share_no_opener() -> None:
    view = made_view(0.02)
    other = ExploreView(view._source)
    drawn = [draw_prompts(v, RUNS, 0, per_family=20, families=(OPENERS,)) for v in (view, other)]
    assert [len(d) for d in drawn] == [20, 20]
    assert not {p.ids for p in drawn[0]} & {p.ids for p in drawn[1]}


def test_few_openers_are_of_all_kinds() -> None:
    drawn = draw_prompts(made_view(0.02), RUNS, 0, per_family=8, families=(OPENERS,))
    assert sorted(p.document.split(".")[0] for p in drawn) == sorted(
        f"opener {k}" for k in range(4) for _ in range(2)
    )


@pytest.mark.parametrize("seed", range(5))
def test_silent_prompts_are_silent_and_firing_ones_end_right_before_the_first_strong_firing(
    seed: int,
) -> None:
    view = made_view(0.03, seed)
    prompts = draw_prompts(view, RUNS, 0, per_family=8, tokens=12, seed=seed)
    assert families(prompts) == dict.fromkeys(ContextFamily, 8)
    for prompt in prompts:
        assert prompt.ids[: len(PREFIX)] == PREFIX
        if prompt.family is OPENERS:
            continue
        body = prompt.ids[len(PREFIX) :]
        assert 4 <= len(body) <= 12
        assert not SUBJECT.vocabulary.special[np.asarray(body)].any()
        stop, activations = places(view, prompt)
        if prompt.family is SILENT:
            assert not activations[:-1].any()
        else:
            assert activations[-1] > 0.3 * LARGEST
            row_first = int(view.text.row_start[view.text.row_of[stop]])
            assert not (view.dense(0)[row_first:stop] > 0.3 * LARGEST).any()
    for family in (SILENT, FIRING):
        documents = [p.document for p in prompts if p.family is family]
        assert len(set(documents)) == len(documents)


def test_silent_prompts_are_beginnings_where_there_are_enough() -> None:
    view = made_view(0.005)
    for prompt in draw_prompts(view, RUNS, 0, families=(SILENT,)):
        stop, _ = places(view, prompt)
        body = len(prompt.ids) - len(PREFIX)
        assert stop - body - len(PREFIX) in view.text.row_start


def test_a_feature_that_fires_often_has_silent_stretches_elsewhere() -> None:
    view = made_view(0.25, longest=200)
    prompts = draw_prompts(view, RUNS, 0, tokens=8, families=(SILENT, FIRING))
    assert families(prompts)[SILENT] == 8
    assert not any(places(view, p)[1][:-1].any() for p in prompts if p.family is SILENT)


def test_what_is_missing_is_not_made_up() -> None:
    dead = made_view(0.0)
    assert families(draw_prompts(dead, RUNS, 0)) == {OPENERS: 8, SILENT: 8, FIRING: 0}
    always = made_view(1.0)
    assert families(draw_prompts(always, RUNS, 0))[SILENT] == 0
    with pytest.raises(ProbeError, match="only 0 prompts of firing for feature 0 in the validate split"):
        draw_prompts(dead, RUNS, 0, families=(FIRING,))
    small = made_view(0.02, documents=3)
    assert families(draw_prompts(small, RUNS, 0))[SILENT] <= 3


def test_strong_is_a_share_of_the_largest_activation_that_is_given() -> None:
    view = made_view(0.05)
    few = draw_prompts(view, RUNS, 0, families=(OPENERS, FIRING), max_activation=1e6)
    assert families(few)[FIRING] == 0


def test_the_same_arguments_give_the_same_prompts() -> None:
    view = made_view(0.03)
    first, again, other = (draw_prompts(view, RUNS, 0, seed=s) for s in (1, 1, 2))
    assert first == again
    assert first != other
    alone = draw_prompts(view, RUNS, 0, seed=1, families=(FIRING,))
    assert alone == tuple(p for p in first if p.family is FIRING)


def test_a_text_without_row_prefix() -> None:
    bare = _without_prefix()
    runs = InterventionRuns(bare)
    rng = np.random.default_rng(0)
    text = TokenText(
        ids=rng.integers(3, len(bare.vocabulary), 400).astype(np.int32),
        row_start=np.arange(0, 401, 40, dtype=np.int64),
        row_document=np.arange(10, dtype=np.int32),
        documents=[DocumentInfo(f"d{i}", "", "") for i in range(10)],
        vocabulary=bare.vocabulary,
    )
    position = np.arange(20, 400, 40)
    view = ValidateView(ArrayFirings(text, [Firings(position, np.ones(10, np.float32))]))
    prompts = draw_prompts(view, runs, 0, tokens=16, families=(SILENT, FIRING))
    for prompt in prompts:
        row = int(prompt.document[1:]) * 40
        span = (row, row + 16) if prompt.family is SILENT else (row + 4, row + 20)
        assert prompt.ids == tuple(text.ids[slice(*span)].tolist())


def _without_prefix() -> Subject:
    subject = tiny_subject("gpt2")
    assert subject.row_prefix == (), "else this tests nothing"
    return subject
