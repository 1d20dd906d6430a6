"""Whether what a model wrote is a label at all, before anything is spent on scoring it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from glossator.agents.llm_calls.answer_text import refuses
from glossator.prompts.rendered_prompt import RenderedPrompt

LONGEST_LABEL = 300
"""Characters; an `Explanation` holds no more."""
MOST_WORDS = 60
"""The prompts ask for 20; some more do no harm, an essay does."""

_ECHO = 6
"""Words in a row out of the instructions that make a label an echo of them."""
_QUOTES = "\"'“”‘’„«»` \t"
_LEAD_IN = re.compile(
    r"(?:(?:label|explanation|answer|feature)\s*:|\[explanation\]:?"
    r"|(?:this|the) (?:feature|neuron|latent) (?:fires|activates|responds|triggers|detects|is active)"
    r"(?: (?:on|to|for|when|in|at|by))?(?= |:))\s*",
    re.IGNORECASE,
)
_MARKED = re.compile(r"<<([^<>]{1,80})>>")
_LIST_MARK = re.compile(r"(?:[-*•]|#{1,6}|\d{1,2}[.)])\s+")
_THINKING = re.compile(
    r"</?(?:think|thinking|thought|reasoning)>|\[/?THINK\]"
    r"|^(?:okay|ok|alright|hmm|well)(?:,|\.| (?:let|so|I|we)\b)|^(?:so|first|now),? (?:I|let|we)\b"
    r"|^let(?:['’]s| us| me) |^I can see\b|^I think (?:the|this|it)\b|^the user\b|^looking at the\b"
    r"|^(?:we|I) (?:need to|should|must|will|have to) (?:find|figure|look|analy|determine|write|say)",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    r"(?:an? |the |your )?(?:label|explanation|string|text|description|predicate|todo|tbd|n/?a|none|null|nil"
    r"|undefined|unknown|unclear|placeholder|nothing|example|answer)(?: (?:here|goes here|text))?"
    r"|.*could not be parsed.*|(?:no|there is no)(?: clear| common| obvious)? (?:pattern|label|explanation).*"
    r"|(?:up to |at most )?\d+ words?.*|(?:on )?(?:the )?following (?:tokens?|words?|text)\b.*",
    re.IGNORECASE,
)
_FORMAT = re.compile(
    r"<<|\b(\w{1,12})\|[^|]*\|\1\b|[\"'](?:label|predicate|kind)[\"']\s*:|```|[{\[]\s*[\"']\w+[\"']\s*[:,]"
    r"|<\|\w+\|?>|</?s>|\[/?INST\]|<(?:start|end)_of_turn>|[\r\n]",
    re.IGNORECASE,
)


def clean_label(text: str) -> str:
    """`text` without what models put around a label: quotes, emphasis, marks, "The feature fires on".

    Not cut and not otherwise changed: what is unfit stays so, for `unfit_label` to say.
    """
    label = " ".join(text.split())
    for _ in range(4):
        before = label
        label = label.removeprefix("**").removesuffix("**")
        if label[:1] in _QUOTES and label[-1:] in _QUOTES and len(label) > 1:
            label = label[1:-1].strip()
        for lead in (_LIST_MARK, _LEAD_IN):
            found = lead.match(label)
            label = label[found.end() :] if found else label
        if label == before:
            break
    label = _MARKED.sub(lambda m: f"'{m.group(1).strip()}'", label)
    return label[:-1] if label.endswith(".") and not label.endswith("..") else label


def unfit_label(text: str, *, prompt: RenderedPrompt) -> str | None:
    """Why a cleaned label is not worth scoring; None if it is.

    Args:
        text: As `clean_label` left it.
        prompt: What was asked; a label that repeats its instructions is no label.

    """
    if not text.strip():
        return "empty"
    checks = (
        ("thinking leak", _THINKING.search(text)),
        ("refusal", refuses(text, at_start=True)),
        ("too long", len(text) > LONGEST_LABEL or len(text.split()) > MOST_WORDS),
        ("format leak", _FORMAT.search(text)),
        ("placeholder", not re.search(r"\w", text) or _PLACEHOLDER.fullmatch(text.strip(" .…!:"))),
        ("prompt echo", _echoes(text, prompt)),
    )
    return next((reason for reason, found in checks if found), None)


def _echoes(text: str, prompt: RenderedPrompt) -> bool:
    said = {run for m in prompt.messages if m.role == "system" for run in _runs(m.content)}
    return any(run in said for run in _runs(text))


def _runs(text: str) -> Iterator[tuple[str, ...]]:
    words = re.findall(r"\w+", text.casefold())
    return zip(*(words[i:] for i in range(_ECHO)), strict=False)
