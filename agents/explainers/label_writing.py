"""Asks one question and makes an explanation of the answer, or a reason why it is none."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from pydantic import BaseModel

from glossator.agents.explainers.explainer_settings import TEMPERATURE
from glossator.agents.explainers.label_validation import clean_label, unfit_label
from glossator.agents.explainers.material import Material, OpenViews
from glossator.agents.explainers.predicate_check import read_predicate
from glossator.agents.explainers.questions import Question
from glossator.agents.explainers.shown_windows import window_text
from glossator.agents.llm_calls.answer_parsing import read_json, schema_of
from glossator.agents.llm_calls.answer_text import answer_text
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import Call, ChatReply, Role, Unscored, UnscoredReason
from glossator.agents.scorers.leakage import quotes
from glossator.prompts.rendered_prompt import RenderedPrompt
from glossator.records import Explanation, ExplanationFlag, Predicate, PromptRef

HALVINGS = 3
"""How often the windows are halved where the prompt is longer than the model's context."""
_TOKENS, _TOKENS_WITH_PREDICATE = 100, 400
_LONGEST_PROSE = 300
_WHOLE_LABEL = re.compile(r'"label"\s*:\s*("(?:[^"\\]|\\.)*")')
_ENDLESS_LABEL = re.compile(r'"label"\s*:\s*"(?:[^"\\]|\\.)*\\?\Z')
_CUT_PREDICATE = "cut"
"""Stands for a predicate without its end; it is no predicate, and is counted as an invalid one."""
THINKING_TOKENS = 2048
"""Granted when an answer was cut: the model thinks first, or is chatty."""


class LabelAnswer(BaseModel):
    """What an explainer answers."""

    label: str
    predicate: str = ""


class _Answered(NamedTuple):
    answer: LabelAnswer
    prompt: RenderedPrompt


@dataclass(frozen=True)
class LabelWriter:
    """Asks about one feature, and counts what could not be used."""

    calls: CallRoom
    views: OpenViews
    material: Material
    rejected: Counter[str] = field(default_factory=Counter[str])
    """Reason to count."""

    async def write(
        self, question: Question, sample: int = 0, earlier: tuple[PromptRef, ...] = ()
    ) -> Explanation | None:
        """The explanation that the model gives; None, with the reason counted, if it gives none.

        Args:
            question: what is asked.
            sample: which draw of the answer; 0 is the one at temperature 0.
            earlier: prompts behind the claim that is being corrected.

        Raises:
            BudgetSpent: no call is left.
            ModelAccessError: the model cannot be used as it is set.
            EndpointError: the endpoint does not answer.
        """
        if (reason := question.nothing_to_show()) is not None:
            return self._reject(reason)
        answered = await self._ask(question, sample)
        if isinstance(answered, Unscored):
            return self._reject(str(answered.reason))
        text = clean_label(answered.answer.label)
        if (reason := unfit_label(text, prompt=answered.prompt)) is not None:
            return self._reject(reason)
        prompts = tuple(dict.fromkeys((*earlier, answered.prompt.ref)))
        return self._explanation(question, text, self._predicate(question, answered.answer), prompts)

    def _explanation(
        self, question: Question, text: str, predicate: Predicate | None, prompts: tuple[PromptRef, ...]
    ) -> Explanation:
        return Explanation.of(
            self.material.feature,
            f"{question.method}:{self.calls.model(Role.EXPLAINER)}",
            text,
            predicate,
            self._flags(text),
            self.material.evidence,
            method=question.method,
            prompts=prompts,
        )

    async def _ask(self, question: Question, sample: int) -> _Answered | Unscored:
        """The answer, with fewer windows as long as the prompt is longer than the context."""
        answer: LabelAnswer | Unscored = Unscored(UnscoredReason.CONTEXT_TOO_SMALL)
        for halvings in range(HALVINGS + 1):
            prompt = question.prompt(halvings)
            answer = await self._answer(question, prompt, sample)
            if isinstance(answer, LabelAnswer):
                return _Answered(answer, prompt)
            if answer.reason is not UnscoredReason.CONTEXT_TOO_SMALL:
                break
        return answer

    async def _answer(
        self, question: Question, prompt: RenderedPrompt, sample: int
    ) -> LabelAnswer | Unscored:
        """One answer; asked again with more room where it was cut."""
        call = _call(question, prompt, sample)
        answer = await self.calls.ask(call, _read)
        if isinstance(answer, Unscored) and answer.reason is UnscoredReason.CUT:
            return await self.calls.ask(replace(call, max_tokens=THINKING_TOKENS), _read)
        return answer

    def _predicate(self, question: Question, answer: LabelAnswer) -> Predicate | None:
        if not question.with_predicate:
            return None
        found = read_predicate(
            answer.predicate, self.views.validate, self.material.feature.index, self.material.max_activation
        )
        return self._reject(found) if isinstance(found, str) else found

    def _flags(self, text: str) -> tuple[ExplanationFlag, ...]:
        flags = dict.fromkeys(self.material.flags)
        if quotes(text, [window_text(w) for w in self.material.windows]) is not None:
            flags[ExplanationFlag.QUOTES_WINDOWS] = None
        return tuple(flags)

    def _reject(self, reason: str) -> None:
        self.rejected[reason] += 1


def _call(question: Question, prompt: RenderedPrompt, sample: int) -> Call:
    with_predicate = question.with_predicate
    # Each question's likely answer is one of its own: an estimate then reads as many candidates as a run.
    words = f"words about ships and the sea, the harbour or a sailor ({question.method} {sample})"
    predicate = '{"kind":"word_in","words":["ship","sea","harbour","sailor"]}' if with_predicate else ""
    return Call(
        role=Role.EXPLAINER,
        prompt=prompt,
        max_tokens=_TOKENS_WITH_PREDICATE if with_predicate else _TOKENS,
        likely=LabelAnswer(label=words, predicate=predicate).model_dump_json(),
        schema=schema_of(LabelAnswer),
        temperature=TEMPERATURE if sample else 0.0,
        sample=sample,
    )


def _read(reply: ChatReply) -> LabelAnswer | Unscored:
    """The answer as JSON; failing that, the label of an answer cut within its predicate (small models write
    some without end), or one line of prose, which models without schemas give."""
    answer = read_json(reply, LabelAnswer)
    if isinstance(answer, LabelAnswer):
        return answer
    said = answer_text(reply).text.strip()
    if answer.reason is UnscoredReason.CUT and (whole := _WHOLE_LABEL.search(said)):
        try:
            return LabelAnswer(label=json.loads(whole[1], strict=False), predicate=_CUT_PREDICATE)
        except ValueError:  # no JSON, or half of a surrogate pair in it
            return answer
    if answer.reason is UnscoredReason.CUT and _ENDLESS_LABEL.search(said):
        # It repeats itself; another draw may not, and more room would only hold more of the same.
        return Unscored(UnscoredReason.MALFORMED, "a label without an end")
    fit = 0 < len(said) <= _LONGEST_PROSE and len(said.splitlines()) == 1 and not set("{}[]") & set(said)
    return LabelAnswer(label=said) if fit and answer.reason is UnscoredReason.MALFORMED else answer
