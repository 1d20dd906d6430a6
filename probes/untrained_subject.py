"""The same architecture with fresh random weights: what a probe reads from shape and tokens alone.

A concept that can be read off an untrained model is carried by the words, not by anything that training put
there (Hewitt and Liang 2019, https://arxiv.org/abs/1909.03368, on control tasks for probes).
"""

from __future__ import annotations

import torch
from transformers import AutoModelForCausalLM

from glossator.probes.subject import Subject


def untrained_subject(subject: Subject, seed: int) -> Subject:
    """A subject of `subject`'s configuration, initialised from `seed` as its library does before training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(subject.model.config, dtype=subject.dtype)
    return Subject(model.eval().to(subject.device), subject.tokenizer, f"{subject.name}-untrained")
