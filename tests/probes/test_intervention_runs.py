"""Prompts of unequal length and continuations, against the model run on each prompt alone without a cache."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

import pytest
import torch

from glossator.errors import ProbeError, ShapeMismatchError, UserError
from glossator.probes.interventions.intervention import AddVectors, Intervention, Positions
from glossator.probes.interventions.prompt_batches import prompt_batches
from glossator.probes.interventions.runs import InterventionRuns, Prompt
from glossator.probes.subject import Subject
from glossator.probes.tiny_subject import SHAPES, Shape, tiny_subject
from glossator.records import SiteRef
from tests.probes.intervention_fixtures import (
    KINDS,
    TEXTS,
    in_bfloat16,
    prompts_of,
    random_vectors,
    scaled_subject,
)

RESID = SiteRef.parse("1.resid")


def by_hand(subject: Subject, prompt: Prompt, added: AddVectors | None = None, row: int = 0) -> torch.Tensor:
    """Log-probabilities after each token: no padding, no cache, the vector added from the second token on."""
    ids = torch.tensor([prompt])
    if added is None:
        return subject.logits(ids)[0].float().log_softmax(-1)

    def edit(x: torch.Tensor) -> torch.Tensor:
        x = x.clone()
        x[:, 1:] += added.vectors[row % added.vectors.shape[0]]
        return x

    return subject.logits(ids, site=added.site, edit=edit)[0].float().log_softmax(-1)


@pytest.mark.parametrize("shape", SHAPES)
def test_rows_of_a_batch_are_as_each_prompt_alone(shape: Shape) -> None:
    subject = tiny_subject(shape)
    runs, prompts = InterventionRuns(subject), prompts_of(subject)
    assert max(map(len, prompts)) > 16, "longer than the sliding window of 8"
    found = runs.next_log_probs(prompts)
    alone = torch.stack([by_hand(subject, prompt)[-1] for prompt in prompts])
    torch.testing.assert_close(found, alone, atol=1e-4, rtol=0)
    assert found.exp().sum(1) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_steered_rows_are_as_each_prompt_alone(shape: Shape, kind: str) -> None:
    subject = tiny_subject(shape)
    runs, prompts = InterventionRuns(subject), prompts_of(subject)
    added = random_vectors(subject, SiteRef.parse(f"1.{kind}"), rows=len(prompts))
    found = runs.next_log_probs(prompts, added)
    alone = torch.stack([by_hand(subject, p, added, row)[-1] for row, p in enumerate(prompts)])
    torch.testing.assert_close(found, alone, atol=1e-4, rtol=0)
    assert (found - runs.next_log_probs(prompts)).abs().max() > 0.01


def test_sites_with_a_scale_are_steered_in_the_units_of_the_residual_stream() -> None:
    subject = scaled_subject()
    runs, prompts = InterventionRuns(subject), prompts_of(subject)
    for kind in KINDS:
        added = random_vectors(subject, SiteRef.parse(f"1.{kind}"))
        alone = torch.stack([by_hand(subject, prompt, added)[-1] for prompt in prompts])
        torch.testing.assert_close(runs.next_log_probs(prompts, added), alone, atol=1e-4, rtol=0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("steered", [False, True])
def test_continuations_are_steered_on_every_step(shape: Shape, steered: bool) -> None:
    """Greedy tokens of the cached loop are what the whole row, run without a cache, finds likeliest."""
    subject = tiny_subject(shape)
    runs, prompts = InterventionRuns(subject), prompts_of(subject)
    added = random_vectors(subject, RESID, rows=len(prompts), size=3.0) if steered else None
    found = runs.continuations(prompts, added, tokens=12, temperature=0.0)
    special = torch.from_numpy(subject.vocabulary.special)
    for row, prompt in enumerate(prompts):
        full = (*prompt, *found.ids[row].tolist())
        log_probs = by_hand(subject, full, added, row)[len(prompt) - 1 : -1]
        assert torch.equal(log_probs.masked_fill(special, -torch.inf).argmax(-1), found.ids[row])
        expected = -log_probs.gather(1, found.ids[row][:, None])[:, 0]
        torch.testing.assert_close(found.losses[row], expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("shape", ["llama", "gpt2", "gemma3"])
def test_losses_are_those_of_the_row_alone(shape: Shape) -> None:
    subject = tiny_subject(shape)
    runs, prompts = InterventionRuns(subject, batch_rows=2), prompts_of(subject)
    added = random_vectors(subject, RESID)
    for steering in (None, added):
        for prompt, found in zip(prompts, runs.losses(prompts, steering), strict=True):
            expected = -by_hand(subject, prompt, steering)[:-1].gather(1, torch.tensor(prompt[1:])[:, None])
            assert math.isnan(found[0])
            torch.testing.assert_close(found[1:], expected[:, 0], atol=1e-4, rtol=0)


def test_continuation_losses_are_the_clean_subjects() -> None:
    subject = tiny_subject()
    runs, prompts = InterventionRuns(subject, batch_rows=2), prompts_of(subject)
    clean = runs.continuations(prompts, tokens=6, seed=2)
    torch.testing.assert_close(runs.continuation_losses(prompts, clean.ids), clean.losses.mean(1))
    steered = runs.continuations(prompts, random_vectors(subject, RESID, size=6.0), tokens=6, seed=2)
    expected = torch.stack([
        -by_hand(subject, (*p, *ids))[len(p) - 1 : -1].gather(1, torch.tensor(ids)[:, None]).mean()
        for p, ids in zip(prompts, steered.ids.tolist(), strict=True)
    ])  # fmt: skip
    torch.testing.assert_close(runs.continuation_losses(prompts, steered.ids), expected, atol=1e-4, rtol=0)
    assert bool((steered.losses.mean(1) - expected).abs().max() > 0.1)


def test_rows_of_like_length_go_together() -> None:
    subject = tiny_subject()
    lengths = [3] * 30 + [60] * 4 + [5, 9]
    batches = list(prompt_batches(subject, [(5,) * n for n in lengths], 16))
    assert sorted(row for batch in batches for row in batch.rows) == list(range(len(lengths)))
    assert all(len(batch.rows) <= 16 for batch in batches)
    assert len(batches) <= 4, "few batches: each costs a pass over all weights"
    assert sum(batch.ids.numel() for batch in batches) < 3 * sum(lengths)
    narrow = list(prompt_batches(subject, [(5,) * n for n in lengths], 16, most_cells=100))
    assert all(batch.ids.numel() <= 100 for batch in narrow)


def test_batches_do_not_matter() -> None:
    subject = tiny_subject("qwen3")
    prompts = prompts_of(subject) * 3
    added = random_vectors(subject, RESID, rows=len(prompts))
    one, many = (InterventionRuns(subject, batch_rows=n) for n in (1, 64))
    torch.testing.assert_close(
        one.next_log_probs(prompts, added), many.next_log_probs(prompts, added), atol=1e-4, rtol=0
    )
    assert torch.equal(one.continuations(prompts, added).ids, many.continuations(prompts, added).ids)


def test_rows_that_share_a_draw_share_their_random_numbers() -> None:
    subject = tiny_subject()
    runs, prompts = InterventionRuns(subject, batch_rows=3), prompts_of(subject)[:1] * 8
    same = runs.continuations(prompts, draws=[4] * 8).ids
    assert bool((same == same[0]).all())
    own = runs.continuations(prompts).ids
    assert len({tuple(row) for row in own.tolist()}) == 8
    assert torch.equal(own[4], same[0])
    assert not torch.equal(own, runs.continuations(prompts, seed=1).ids)


def test_sampling_follows_the_subjects_probabilities() -> None:
    subject = tiny_subject()
    runs, n = InterventionRuns(subject, batch_rows=512), 3000
    prompt = prompts_of(subject)[0]
    found = runs.continuations([prompt] * n, tokens=1, temperature=2.0)
    expected = runs.next_log_probs([prompt])[0] / 2
    expected[torch.from_numpy(subject.vocabulary.special)] = -torch.inf
    chances = expected.softmax(-1)
    counts = torch.bincount(found.ids[:, 0], minlength=len(chances)).float()
    likely = chances.topk(20).indices
    assert n * chances[likely].min() > 5
    deviations = (counts - n * chances) / (n * chances * (1 - chances)).sqrt()
    assert deviations[likely].abs().max() < 4.5
    assert not bool(counts[torch.from_numpy(subject.vocabulary.special)].any()), "special tokens never"


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_strength_zero_changes_no_bit(shape: Shape, kind: str) -> None:
    for subject in (tiny_subject(shape), in_bfloat16(shape)):
        runs, prompts = InterventionRuns(subject), prompts_of(subject)
        site = SiteRef.parse(f"1.{kind}")
        nothing = AddVectors(site, torch.zeros(1, subject.site_width(site)))
        assert torch.equal(runs.next_log_probs(prompts), runs.next_log_probs(prompts, nothing))
        clean, same = runs.continuations(prompts, tokens=4), runs.continuations(prompts, nothing, tokens=4)
        assert torch.equal(clean.ids, same.ids)
        assert torch.equal(clean.losses, same.losses)


def test_strength_zero_changes_no_bit_where_sites_have_a_scale() -> None:
    subject = scaled_subject()
    runs, prompts = InterventionRuns(subject), prompts_of(subject)
    nothing = AddVectors(SiteRef.parse("1.mlp_out"), torch.zeros(1, 16))
    assert torch.equal(runs.next_log_probs(prompts), runs.next_log_probs(prompts, nothing))


def test_a_row_of_zeros_stays_clean_beside_steered_rows() -> None:
    subject = tiny_subject()
    runs, prompts = InterventionRuns(subject), prompts_of(subject)
    added = random_vectors(subject, RESID, rows=len(prompts))
    added.vectors[2] = 0
    clean, steered = runs.next_log_probs(prompts), runs.next_log_probs(prompts, added)
    assert torch.equal(clean[2], steered[2])
    assert (clean - steered).abs().amax(1).count_nonzero() == len(prompts) - 1


@pytest.mark.parametrize(
    ("positions", "expected"),
    [
        (Positions(), range(1, 7)),
        (Positions(first=-1), range(6, 7)),
        (Positions(first=2, stop=4), range(2, 4)),
        (Positions(first=-3, stop=-1), range(4, 6)),
        (Positions(first=0, stop=1), range(0)),
    ],
)
def test_positions(positions: Positions, expected: range) -> None:
    subject = tiny_subject()
    runs = InterventionRuns(subject)
    prompts = [(5, 6, 7, 8, 9, 10, 11), (5, 6, 7, 8)]
    clean = runs.site_activations(prompts, RESID)
    steered = runs.site_activations(prompts, RESID, random_vectors(subject, RESID, positions=positions))
    changed = (clean != steered).any(-1)[0].nonzero()[:, 0].tolist()
    assert changed == list(expected)


def test_the_row_prefix_is_never_touched() -> None:
    subject = tiny_subject()
    subject._texts.row_prefix = (1,)
    runs = InterventionRuns(subject)
    prompts = runs.prompts(["abc d", "xyz"])
    assert all(prompt[0] == 1 for prompt in prompts)
    clean = runs.site_activations(prompts, RESID)
    assert clean.shape[1] == len(prompts[0]) - 1, "aligned after the row prefix"
    steered = runs.site_activations(prompts, RESID, random_vectors(subject, RESID))
    assert bool((clean != steered).any(-1)[0].all()), "every token after the prefix is touched"
    ids = torch.tensor([prompts[0]])
    expected = subject.activations(RESID, ids)[0, 1:]
    torch.testing.assert_close(clean[0], expected, atol=1e-5, rtol=0)


def test_generated_tokens_can_be_left_alone() -> None:
    subject = tiny_subject()
    runs, prompts = InterventionRuns(subject), prompts_of(subject)
    later = random_vectors(subject, RESID, size=9.0, positions=Positions(first=0, stop=0))
    clean, steered = (runs.continuations(prompts, i, tokens=6, temperature=0.0) for i in (None, later))
    assert torch.equal(clean.ids[:, 0], steered.ids[:, 0]), "the first one depends on the prompt alone"
    assert not torch.equal(clean.ids, steered.ids)
    never = random_vectors(subject, RESID, size=9.0, positions=Positions(stop=0, generated=False))
    assert torch.equal(clean.ids, runs.continuations(prompts, never, tokens=6, temperature=0.0).ids)


def test_prompts_that_cannot_be_run() -> None:
    subject = tiny_subject()
    runs = InterventionRuns(subject)
    with pytest.raises(UserError, match="'' is empty"):
        runs.prompts(["fine", ""])
    with pytest.raises(UserError, match="prompt 1 is empty"):
        runs.next_log_probs([(5,), ()])
    with pytest.raises(ShapeMismatchError, match="of 70 tokens does not fit tiny-llama, which takes 64"):
        runs.prompts(["#" * 70])
    with pytest.raises(ShapeMismatchError, match=r"60 tokens and 5 tokens to generate .* takes 64"):
        runs.continuations([(5,) * 60], tokens=5)
    assert runs.continuations([(5,) * 60], tokens=4).ids.shape == (1, 4)
    with pytest.raises(ShapeMismatchError, match="token ids 5 to 9999"):
        runs.next_log_probs([(5, 9999)])
    with pytest.raises(ShapeMismatchError, match="2 draws for 1 prompts"):
        runs.continuations([(5,)], draws=[1, 2])
    with pytest.raises(UserError, match="0 tokens to generate"):
        runs.continuations([(5,)], tokens=0)
    with pytest.raises(UserError, match="temperature -1"):
        runs.continuations([(5,)], temperature=-1.0)
    with pytest.raises(ShapeMismatchError, match="for 1 prompts"):
        runs.continuation_losses([(5,)], torch.ones(2, 3, dtype=torch.int64))


def test_no_prompts_give_no_rows() -> None:
    runs = InterventionRuns(tiny_subject())
    assert runs.next_log_probs([]).shape[0] == 0
    assert runs.losses([]) == ()
    assert runs.continuations([], tokens=3).ids.shape == (0, 3)


@pytest.mark.parametrize("make", [tiny_subject, in_bfloat16])
def test_a_subject_that_breaks_down_is_told(make: Callable[[Shape], Subject]) -> None:
    subject = make("llama")
    runs, prompts = InterventionRuns(subject), prompts_of(subject)
    vectors = torch.zeros(len(prompts), 16)
    vectors[[1, 3]] = torch.inf  # a norm turns what is merely huge into finite nonsense
    found = runs.next_log_probs(prompts, AddVectors(RESID, vectors))
    assert found.isnan().all(1).tolist() == [False, True, False, True, False]
    assert found.isnan().any(1).tolist() == [False, True, False, True, False]
    with pytest.raises(ProbeError, match="NaN while it continued 2 of 5 prompts"):
        runs.continuations(prompts, AddVectors(RESID, vectors))


def test_hooks_are_gone_after_an_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = tiny_subject()
    runs, prompts = InterventionRuns(subject), prompts_of(subject)
    clean = runs.next_log_probs(prompts)
    added = random_vectors(subject, RESID)

    def fail(*_: object) -> None:
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        handle = subject.decoder.blocks[2].module.register_forward_hook(fail)
        patch.setattr(subject, "_unused", handle, raising=False)
        for run in (runs.next_log_probs, runs.continuations, runs.losses):
            with pytest.raises(RuntimeError, match="out of memory"):
                run(prompts, added)
        handle.remove()
    assert torch.equal(clean, runs.next_log_probs(prompts))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in subject.model.modules())


def test_threads_do_not_disturb_each_other() -> None:
    subject = tiny_subject("gemma2")
    runs, prompts = InterventionRuns(subject, batch_rows=2), prompts_of(subject)
    steerings: list[Intervention | None] = [None, *(random_vectors(subject, RESID, seed=i) for i in range(3))]
    alone = [runs.continuations(prompts, steering, tokens=4) for steering in steerings]
    ids = torch.tensor([prompts[0]])
    reading = subject.activations(RESID, ids)
    wrong: list[str] = []

    def work(number: int) -> None:
        for _ in range(3):
            found = runs.continuations(prompts, steerings[number], tokens=4)
            if not (
                torch.equal(found.ids, alone[number].ids) and torch.equal(found.losses, alone[number].losses)
            ):
                wrong.append(f"steering {number}")
            if not torch.equal(subject.activations(RESID, ids), reading):
                wrong.append("reading")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_lock_is_held_while_the_subject_runs() -> None:
    subject = tiny_subject()
    runs, held = InterventionRuns(subject), list[bool]()

    def note(*_: object) -> None:
        # Another thread must not get it; this one may, as the lock is reentrant.
        other = threading.Thread(target=lambda: held.append(not subject.lock.acquire(blocking=False)))
        other.start()
        other.join()

    handle = subject.decoder.blocks[0].module.register_forward_hook(note)
    runs.next_log_probs([(5, 6)])
    runs.losses([(5, 6)])
    runs.continuations([(5, 6)], tokens=2)
    runs.site_activations([(5, 6)], RESID)
    handle.remove()
    assert held == [True] * 5


def test_texts_are_long_enough_for_what_these_tests_say() -> None:
    lengths = [len(prompt) for prompt in prompts_of(tiny_subject())]
    assert len(set(lengths)) == len(TEXTS)
