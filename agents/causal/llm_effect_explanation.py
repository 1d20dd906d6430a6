"""What a feature causes, in the words of an LLM: from the tokens that rise and fall when it is turned up.

As delphi does (https://arxiv.org/abs/2410.13928, section 5: ten prompts, the five tokens that gain most
after each), and the tokens that move most over all prompts beside them. Prompts come from `validate`; what
is scored of the label comes from `sealed`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from pydantic import BaseModel

from glossator.agents.causal.bench import CausalBench
from glossator.agents.causal.effect_explanation import LEAD
from glossator.agents.causal.effects import effects_evidence
from glossator.agents.causal.random_effects import steering_vector, validate_prompts
from glossator.agents.explainers.explainer_settings import TEMPERATURE
from glossator.agents.explainers.label_validation import LONGEST_LABEL, clean_label, unfit_label
from glossator.agents.explainers.label_writing import THINKING_TOKENS
from glossator.agents.llm_calls.answer_parsing import read_json, schema_of
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import Call, Role, Unscored, UnscoredReason
from glossator.probes.interventions.intervention import AddVectors
from glossator.probes.vocabulary import Vocabulary
from glossator.probes.word_table import WORD, fold
from glossator.prompts.fence import fenced
from glossator.prompts.prompt_file import load_prompt
from glossator.prompts.rendered_prompt import RenderedPrompt
from glossator.records import (
    AnyOf,
    EffectFindings,
    Explanation,
    ExplanationMethod,
    Predicate,
    TokenIn,
    TokenShift,
    WordIn,
)

SHOWN_RISING, SHOWN_FALLING = 12, 6
SHOWN_PROMPTS, SHOWN_AFTER = 10, 5
"""Prompts that are shown, and tokens after each."""
MOST_WORDS = 12
NO_EFFECT = "no token rises in most prompts"
_PROMPT_CHARACTERS = 100
_TOKENS = 200


class EffectAnswer(BaseModel):
    """What an explainer answers."""

    label: str
    words: list[str] = []


class NotExplained(NamedTuple):
    """No explanation, and why."""

    reason: str


async def explain_effect(
    calls: CallRoom, bench: CausalBench, effects: EffectFindings, *, sample: int = 0
) -> Explanation | NotExplained:
    """The label that the explainer's model gives the effect, and the words it names as predicate.

    The model is not asked where no token rises in most prompts.

    Raises:
        BudgetSpent: no call is left.
        ModelAccessError: the model cannot be used as it is set.
        EndpointError: the endpoint does not answer.
    """
    if not effects.concept:
        return NotExplained(NO_EFFECT)
    prompt = effect_prompt(bench, effects)
    answer = await _answer(calls, prompt, sample)
    if isinstance(answer, Unscored):
        return NotExplained(str(answer.reason))
    text = clean_label(answer.label)
    if (reason := unfit_label(text, prompt=prompt)) is not None:
        return NotExplained(reason)
    return Explanation.of(
        effects.feature,
        f"{ExplanationMethod.EFFECTS}:{calls.model(Role.EXPLAINER)}",
        f"{LEAD}{text}"[:LONGEST_LABEL],
        named_words(answer.words, bench.runs.subject.vocabulary),
        evidence=(effects_evidence(bench, effects).id,),
        method=ExplanationMethod.EFFECTS,
        prompts=(prompt.ref,),
    )


def effect_prompt(bench: CausalBench, effects: EffectFindings) -> RenderedPrompt:
    """The question; holds nothing but text of `validate` and the subject's tokens."""
    return load_prompt("explain_effect").render(
        rising=_shift_lines(effects.raised[:SHOWN_RISING], "R"),
        falling=_shift_lines(effects.lowered[:SHOWN_FALLING], "F"),
        prompts=[fenced(i, line) for i, line in enumerate(_prompt_lines(bench, effects), 1)],
    )


def named_words(words: Iterable[str], vocabulary: Vocabulary) -> Predicate | None:
    """A predicate that holds at these words and signs; None where none of them can be looked for."""
    said = [word.strip() for word in words if word.strip()][:MOST_WORDS]
    whole = tuple(dict.fromkeys(fold(word) for word in said if WORD.fullmatch(word)))
    signs = {word for word in said if not any(c.isalnum() for c in word)}
    tokens = tuple(t for t in vocabulary.texts if t.strip() in signs)[:512] if signs else ()
    parts = [*([WordIn(words=whole)] if whole else []), *([TokenIn(tokens=tokens)] if tokens else [])]
    return None if not parts else parts[0] if len(parts) == 1 else AnyOf(parts=tuple(parts))


async def _answer(calls: CallRoom, prompt: RenderedPrompt, sample: int) -> EffectAnswer | Unscored:
    """One answer; asked again with more room where it was cut."""
    likely = EffectAnswer(label="words about ships and the sea, above all the harbour", words=["ship", "sea"])
    call = Call(
        role=Role.EXPLAINER,
        prompt=prompt,
        max_tokens=_TOKENS,
        likely=likely.model_dump_json(),
        schema=schema_of(EffectAnswer),
        temperature=TEMPERATURE if sample else 0.0,
        sample=sample,
    )
    read = partial(read_json, model=EffectAnswer)
    answer = await calls.ask(call, read)
    if isinstance(answer, Unscored) and answer.reason is UnscoredReason.CUT:
        return await calls.ask(replace(call, max_tokens=THINKING_TOKENS), read)
    return answer


def _shift_lines(shifts: Sequence[TokenShift], prefix: str) -> list[str]:
    return [
        fenced(f"{prefix}{i}", f"{_quoted(s.token)} {100 * s.clean:.2g} > {100 * s.steered:.2g}")
        for i, s in enumerate(shifts, 1)
    ]


def _prompt_lines(bench: CausalBench, effects: EffectFindings) -> list[str]:
    """Prompts of `validate`, spread over their families, each with the tokens that gain most probability."""
    drawn = validate_prompts(bench, effects.feature.index)
    chosen = np.unique(np.linspace(0, len(drawn) - 1, min(SHOWN_PROMPTS, len(drawn))).round().astype(int))
    prompts = [drawn[i].ids for i in chosen.tolist()]
    vector = steering_vector(bench, effects.feature.index, effects.multiple)
    change = AddVectors(bench.dictionary.output_site, vector[None])
    gained = bench.runs.next_log_probs(prompts, change).exp() - bench.runs.next_log_probs(prompts).exp()
    vocabulary = bench.runs.subject.vocabulary
    gained[:, torch.from_numpy(vocabulary.special[: gained.shape[1]])] = 0.0
    top = gained.nan_to_num(0.0).topk(min(SHOWN_AFTER, gained.shape[1]))
    skipped = len(bench.runs.subject.row_prefix)
    lines: list[str] = []
    for ids, tokens, gains in zip(prompts, top.indices.tolist(), top.values.tolist(), strict=True):
        text = "".join(vocabulary.texts[t] for t in ids[skipped:])[-_PROMPT_CHARACTERS:]
        rising = [
            f"{_quoted(vocabulary.texts[i])} +{100 * gain:.2g}"
            for i, gain in zip(tokens, gains, strict=True)
            if gain > 0
        ]
        lines.append(f"{text} » {', '.join(rising) or 'nothing'}")
    return lines


def _quoted(token: str) -> str:
    return json.dumps(token, ensure_ascii=False)
