"""Losses after a shared prefix equal those of prefix and text run as one, in every shape of model."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from glossator.errors import ProbeError, ShapeMismatchError
from glossator.probes.subject import Subject
from glossator.probes.text_losses import PrefixLosses
from glossator.probes.tiny_subject import SHAPES, Shape, tiny_subject

PREFIX = "what follows: "
TEXTS = ("a", "the sea and the land", "", "<|im_end|> is text", "one more, longer than all of the others")


def naive(subject: Subject, prefix: str, text: str) -> float:
    """One forward pass over everything, without any cache or padding."""
    before = [*subject.row_prefix, *subject.tokenize([prefix])[0]]
    own = subject.tokenize([text])[0]
    if not own:
        return float("nan")
    ids = torch.tensor([[*before, *own]])
    chances = subject.logits(ids)[0].float().log_softmax(-1)
    targets = ids[0, 1:]
    each = -chances[:-1].gather(1, targets[:, None])[:, 0]
    return float(each[max(0, len(before) - 1) :].mean())


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shared_prefix_changes_no_loss(shape: Shape) -> None:
    subject = tiny_subject(shape)
    wanted = np.array([naive(subject, PREFIX, t) for t in TEXTS])
    one_by_one = PrefixLosses(subject, most_logits=1)
    for losses in (PrefixLosses(subject), one_by_one):
        got = losses(PREFIX, TEXTS)
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, wanted, atol=1e-3)
    assert np.nanstd(wanted) > 0.01


def test_the_prefix_matters_and_the_next_call_is_as_the_first() -> None:
    losses = PrefixLosses(tiny_subject())
    first = losses(PREFIX, TEXTS)
    other = losses("zzzz zzzz", TEXTS)
    assert np.nanmax(np.abs(first - other)) > 1e-3
    np.testing.assert_array_equal(first, losses(PREFIX, TEXTS))


def test_the_same_question_is_measured_once() -> None:
    subject = tiny_subject()
    losses = PrefixLosses(subject)
    first = losses(PREFIX, TEXTS)
    with torch.no_grad():
        next(subject.model.parameters()).add_(1.0)
    kept = losses(PREFIX, list(TEXTS))
    np.testing.assert_array_equal(first, kept)
    kept[:] = 0
    np.testing.assert_array_equal(first, losses(PREFIX, TEXTS))
    assert not np.array_equal(first, losses(PREFIX, TEXTS[::-1])[::-1])


def test_without_a_prefix_the_first_token_is_left_out() -> None:
    subject = tiny_subject()
    got = PrefixLosses(subject)("", ("a", "sea land"))
    assert np.isnan(got[0])
    assert got[1] == pytest.approx(naive(subject, "", "sea land"), abs=1e-3)
    assert PrefixLosses(subject)("", ()).shape == (0,)


def test_half_precision_is_summed_in_full() -> None:
    subject = tiny_subject()
    exact = PrefixLosses(subject)(PREFIX, TEXTS)
    for parameter in subject.model.parameters():
        parameter.data = parameter.data.bfloat16()
    got = PrefixLosses(subject)(PREFIX, TEXTS)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, exact, atol=0.3)


def test_special_tokens_in_text_are_text() -> None:
    subject = tiny_subject()
    assert len(subject.tokenize(["<|im_end|>"])[0]) > 1
    (loss,) = PrefixLosses(subject)(PREFIX, ["<|im_end|>"])
    assert loss == pytest.approx(naive(subject, PREFIX, "<|im_end|>"), abs=1e-3)


def test_what_does_not_fit_is_refused_and_what_is_broken_is_said() -> None:
    subject = tiny_subject()
    with pytest.raises(ShapeMismatchError, match="tokens do not fit tiny-llama, which takes 64"):
        PrefixLosses(subject)(PREFIX, ["b" * 60])
    with torch.no_grad():
        next(subject.model.parameters()).fill_(float("nan"))
    with pytest.raises(ProbeError, match="float32"):
        PrefixLosses(subject)(PREFIX, TEXTS)
