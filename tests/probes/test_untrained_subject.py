"""An untrained twin has the shape and the tokenizer of its subject, and none of its weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from glossator.probes.site_means import site_means
from glossator.probes.tiny_subject import tiny_subject
from glossator.probes.untrained_subject import untrained_subject
from glossator.records import SiteRef

SITE = SiteRef.parse("1.resid")
TEXTS = ["a small house", "he sees", "x"]


def test_a_twin_is_random_and_repeatable() -> None:
    subject = tiny_subject()
    state = torch.get_rng_state()
    twins = [untrained_subject(subject, seed) for seed in (1, 1, 2)]
    assert torch.equal(torch.get_rng_state(), state)
    assert twins[0].fingerprint() == twins[1].fingerprint()
    assert len({t.fingerprint() for t in (subject, twins[0], twins[2])}) == 3
    assert twins[0].tokenize(TEXTS) == subject.tokenize(TEXTS)
    assert twins[0].dtype == subject.dtype
    read = [site_means(s, SITE, TEXTS, 32).mean for s in (subject, twins[0])]
    assert read[0].shape == read[1].shape
    assert not np.allclose(read[0], read[1])


def test_pooled_activations_are_those_of_each_text_alone() -> None:
    subject = tiny_subject()
    skip = 0 if subject.row_prefix else 1
    pooled = site_means(subject, SITE, TEXTS, 32)
    for i, text in enumerate(TEXTS):
        ids = torch.tensor([[*subject.row_prefix, *subject.tokenize([text])[0]]])
        counted = subject.activations(SITE, ids)[0, max(skip, 1) :].float().numpy()
        if not len(counted):
            assert not pooled.mean[i].any()
            continue
        assert pooled.mean[i] == pytest.approx(counted.mean(axis=0), abs=1e-4)
        assert pooled.largest[i] == pytest.approx(counted.max(axis=0), abs=1e-4)
