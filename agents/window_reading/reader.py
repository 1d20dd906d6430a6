"""The LLM as reader: a claim and windows go out, a verdict on each window comes back.

Windows are asked in the order given, several at once, the last prompt being as short as it comes out.
Each window's answer counts alone: what cannot be read is unscored with its reason, never a 0.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int8

from glossator.agents.llm_calls.all_finished import all_finished
from glossator.agents.llm_calls.answer_parsing import ReadVerdict, read_verdicts, verdict_schema
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import Call, Role, Unscored, UnscoredReason
from glossator.prompts.fence import fenced
from glossator.prompts.prompt_file import PromptFile, load_prompt
from glossator.records import PromptRef

NO_CLAIM = "(no claim)"
"""What stands in for an explanation in the empty baseline."""
SPARE_TOKENS = 16
"""Answer tokens granted beyond the verdicts themselves."""
THINKING_TOKENS = 2048
"""Granted when an answer was cut: the model thinks, or is chatty."""
_PER_VERDICT = 10
Question = Literal["detection", "fuzzing"]
_TOP_LOGPROBS = 5


@dataclass(frozen=True)
class Readings:
    """What the reader made of each window, aligned with the windows asked."""

    fires: Int8[np.ndarray, " windows"]
    """1 for "the claim fits", 0 for "it does not", -1 where there is no usable answer."""
    probability: Float[np.ndarray, " windows"]
    """P(fits) by the answer token's probabilities; nan where there are none."""
    reasons: tuple[UnscoredReason | None, ...]
    """Why there is no answer; None where there is one."""
    calls: int
    """Prompts asked, answered from the ledger or not."""
    prompt: PromptRef
    """What asked."""

    def __len__(self) -> int:
        return len(self.fires)

    @classmethod
    def joined(cls, parts: Sequence[Readings]) -> Readings:
        """The readings of all parts, in order; needs at least one part, all asked by the same prompt."""
        return cls(
            fires=np.concatenate([p.fires for p in parts]),
            probability=np.concatenate([p.probability for p in parts]),
            reasons=tuple(reason for p in parts for reason in p.reasons),
            calls=sum(p.calls for p in parts),
            prompt=parts[0].prompt,
        )

    @property
    def answered(self) -> Bool[np.ndarray, " windows"]:
        """Which windows have a verdict."""
        return self.fires >= 0


class LlmReader:
    """Asks the scorer model whether a claim fits windows (detection) or marks in them (fuzzing)."""

    def __init__(self, calls: CallRoom, windows_per_prompt: int, *, spare_tokens: int = SPARE_TOKENS) -> None:
        """A reader.

        Args:
            calls: where questions are asked.
            windows_per_prompt: most windows in one prompt; see `calibration.py` for how to choose.
            spare_tokens: answer tokens beyond the verdicts; more for models known to think first.

        Raises:
            ValueError: if `windows_per_prompt` is below 1.
        """
        if windows_per_prompt < 1:
            raise ValueError(f"windows per prompt {windows_per_prompt!r} must be at least 1")
        self._calls, self.windows_per_prompt, self._spare = calls, windows_per_prompt, spare_tokens

    @property
    def name(self) -> str:
        """The scorer model's name."""
        return self._calls.model(Role.SCORER)

    def prompt(self, question: Question) -> PromptRef:
        """The prompt that asks it."""
        return self._prompt_file(question).ref

    async def detect(self, claim: str, texts: Sequence[str]) -> Readings:
        """Whether the feature that `claim` describes fires anywhere in each text."""
        return await self._read("detection", claim, texts)

    async def fuzz(self, claim: str, marked_texts: Sequence[str]) -> Readings:
        """Whether the marked tokens (`fence.marked`) are those that `claim` describes."""
        return await self._read("fuzzing", claim, marked_texts)

    def _prompt_file(self, question: Question) -> PromptFile:
        return load_prompt(f"{question}_{'one' if self.windows_per_prompt == 1 else 'many'}")

    async def _read(self, question: Question, claim: str, texts: Sequence[str]) -> Readings:
        n = self.windows_per_prompt
        prompt = self._prompt_file(question)
        chunks = [texts[i : i + n] for i in range(0, len(texts), n)]
        answers = await all_finished(self._ask(prompt, claim, chunk) for chunk in chunks)
        verdicts = [v for answer in answers for v in answer.verdicts]
        nan = float("nan")
        return Readings(
            fires=np.array([-1 if v.fires is None else int(v.fires) for v in verdicts], np.int8),
            probability=np.array([nan if v.probability is None else v.probability for v in verdicts], float),
            reasons=tuple(v.reason for v in verdicts),
            calls=sum(answer.calls for answer in answers),
            prompt=prompt.ref,
        )

    async def _ask(self, prompt: PromptFile, claim: str, texts: Sequence[str]) -> _Answer:
        """One chunk; asked again with more room where the answer was cut, in halves where it is too long."""
        answer = await self._calls.ask(self._call(prompt, claim, texts, self._spare), _verdicts_of(texts))
        calls = 1
        if isinstance(answer, Unscored) and answer.reason is UnscoredReason.CUT:
            roomy = self._call(prompt, claim, texts, THINKING_TOKENS)
            answer, calls = await self._calls.ask(roomy, _verdicts_of(texts)), 2
        if not isinstance(answer, Unscored):
            return _Answer(answer, calls)
        if answer.reason is UnscoredReason.CONTEXT_TOO_SMALL and len(texts) > 1:
            half = len(texts) // 2
            halves = (texts[:half], texts[half:])
            first, second = await all_finished(self._ask(prompt, claim, part) for part in halves)
            return _Answer((*first.verdicts, *second.verdicts), calls + first.calls + second.calls)
        return _Answer((ReadVerdict(None, None, answer.reason),) * len(texts), calls)

    def _call(self, prompt: PromptFile, claim: str, texts: Sequence[str], spare: int) -> Call:
        n, single = len(texts), "window" in prompt.variables
        windows = [fenced(i, text) for i, text in enumerate(texts, 1)]
        shown = {"window": windows[0]} if single else {"windows": windows}
        likely = "1" if single else json.dumps({str(i): i % 2 for i in range(1, n + 1)})
        return Call(
            role=Role.SCORER,
            prompt=prompt.render(claim=fenced("C", claim), **shown),
            max_tokens=spare + (0 if single else _PER_VERDICT * n),
            likely=likely,
            schema=None if single else verdict_schema(n),
            top_logprobs=_TOP_LOGPROBS,  # wished for always: what an endpoint can do is learned in between
        )


@dataclass(frozen=True)
class _Answer:
    verdicts: tuple[ReadVerdict, ...]
    calls: int


def _verdicts_of(texts: Sequence[str]) -> partial[tuple[ReadVerdict, ...] | Unscored]:
    return partial(read_verdicts, n=len(texts))
