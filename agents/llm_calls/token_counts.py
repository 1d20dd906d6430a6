"""How many tokens a call will take, without asking anyone: an estimate that learns from replies."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from glossator.agents.llm_calls.chat import ChatReply
from glossator.prompts.rendered_prompt import ChatMessage

CHARACTERS_PER_TOKEN = 3.6
"""Of English text in present tokenizers; somewhat low, so that the estimate is rather high."""
_PER_MESSAGE = 4
"""Tokens that a chat template puts around one message."""
_MARGIN_UNSEEN, _MARGIN_SEEN = 1.5, 1.15
_KEPT_TEXTS = 4096


@dataclass
class TokenTotals:
    """Sums over calls whose tokens the endpoint counted: what was estimated, and what it said."""

    estimated_input: int = 0
    input: int = 0
    estimated_output: int = 0
    """Of the likely answer."""
    output: int = 0

    def add(self, other: TokenTotals) -> None:
        """Take in the sums of other calls."""
        self.estimated_input += other.estimated_input
        self.input += other.input
        self.estimated_output += other.estimated_output
        self.output += other.output


class TokenCounter:
    """Counts tokens by `count` (3.6 characters each by default), corrected by what endpoints said so far.

    The correction is kept by endpoint and prompt; a prompt that an endpoint has not answered yet takes
    the endpoint's, and an endpoint without answers none.
    """

    def __init__(self, count: Callable[[str], int] | None = None, name: str = "") -> None:
        self._count = count or _by_characters
        self.name = name or ("characters/3.6" if count is None else "given")
        """Tells counters apart where what they estimated is stored."""
        self._texts: OrderedDict[str, int] = OrderedDict()
        self._totals: dict[tuple[str, str], TokenTotals] = {}
        self._highest: dict[tuple[str, str], float] = {}
        """Input tokens over their estimate, of the call of this process where that was most."""

    def raw(self, messages: Sequence[ChatMessage]) -> int:
        """Tokens of `messages`, uncorrected."""
        return sum(self.text(m.content) + _PER_MESSAGE for m in messages)

    def text(self, text: str) -> int:
        """Tokens of one text, uncorrected; at least 1. Texts seen lately are not counted again."""
        if self._count is _by_characters:
            return max(1, _by_characters(text))  # quicker than looking it up, and nothing is kept
        known = self._texts.get(text)
        if known is None:
            known = self._texts[text] = max(1, self._count(text))
            if len(self._texts) > _KEPT_TEXTS:
                self._texts.popitem(last=False)
        return known

    def likely_input(self, identity: str, prompt: str, raw: int) -> int:
        """Input tokens to be expected where the uncorrected count is `raw`."""
        totals = self._known(identity, prompt)
        return raw if not totals.estimated_input else round(raw * totals.input / totals.estimated_input)

    def likely_output(self, identity: str, prompt: str, raw: int, max_tokens: int) -> int:
        """Output tokens to be expected where the likely answer has `raw`."""
        totals = self._known(identity, prompt)
        ratio = totals.output / totals.estimated_output if totals.estimated_output else 1.0
        return min(max_tokens, max(1, round(raw * ratio)))

    def most_input(self, identity: str, prompt: str, raw: int) -> int:
        """What to reserve for the input: the expected and 50 % until the endpoint has counted.

        From then on as much more as any call took, at least 15 % and at most 50 %.
        """
        totals = self._known(identity, prompt)
        margin = _MARGIN_UNSEEN
        if totals.estimated_input:
            most = self._highest.get((identity, prompt), 0.0) * totals.estimated_input
            margin = min(margin, max(_MARGIN_SEEN, most / max(1, totals.input)))
        return round(self.likely_input(identity, prompt, raw) * margin)

    def learn(self, identity: str, prompt: str, totals: TokenTotals) -> None:
        """Take in what calls of `prompt` at `identity` were estimated and counted at."""
        for key in ((identity, prompt), (identity, "")):
            self._totals.setdefault(key, TokenTotals()).add(totals)

    def learn_reply(self, identity: str, prompt: str, raw: TokenTotals, reply: ChatReply) -> None:
        """Take in one reply, `raw` holding what was estimated for it."""
        if reply.input_tokens and reply.output_tokens is not None:
            counted = TokenTotals(
                raw.estimated_input, reply.input_tokens, raw.estimated_output, reply.output_tokens
            )
            self.learn(identity, prompt, counted)
            ratio = reply.input_tokens / max(1, raw.estimated_input)
            self._highest[identity, prompt] = max(ratio, self._highest.get((identity, prompt), 0.0))

    def _known(self, identity: str, prompt: str) -> TokenTotals:
        return self._totals.get((identity, prompt)) or self._totals.get((identity, "")) or TokenTotals()


def _by_characters(text: str) -> int:
    return round(len(text) / CHARACTERS_PER_TOKEN)
