"""Short neutral beginnings of text, fixed, and parted among the splits.

Neutral: nothing in them asks for one topic. Four kinds in equal number, because a feature's effect often
hangs on the kind of text. The place of an opener within its kind decides its split, a third each: add new
ones at the end, three at a time, and no opener ever moves. None ends in a space, which most tokenizers
would put before the next word.
"""

from __future__ import annotations

from typing import NamedTuple

from glossator.records import Split

PROSE = (
    "I think that",
    "The first thing we saw was",
    "It was late when",
    "In the middle of the room there was",
    "For a long time, nobody",
    "There are many reasons why",
    "When she came back,",
    "The most important part of this is",
    "After a while they",
    "What happened next was",
    "One of the things that I",
    "On the other side of the",
    "As far as anyone knows, the",
    "He looked around and",
    "The report says that",
)
DIALOGUE = (
    '"Well," she said, "',
    "A: How are you?\nB: I",
    '"Do you know what I',
    "Tom: What is that?\nAnn: It is",
    '"I am not sure," he said. "Maybe',
    "Q: What do you want?\nA: I would like",
    '"Wait," said the other one. "There',
    "Interviewer: And then?\nGuest: Then",
    '"Tell me about',
    "Me: hello\nYou: hi,",
    '"If you ask me," she said, "the',
    "User: Can you help?\nAssistant: Yes,",
    '"Why not?" he asked.\n"Because',
    "Sam: Where were you?\nLee: I was",
    '"We could always',
)
INSTRUCTIONS = (
    "To do this, you will need",
    "Step 1: Take the",
    "Before you start, make sure that",
    "Please write a short text about",
    "First, open the",
    "Here is how it works:",
    "Do not forget to",
    "The following list shows",
    "If this does not work, try",
    "Question: What is the best way to",
    "Answer the question below.\n",
    "You should always",
    "Instructions:\n1.",
    "When you are done,",
    "Complete the sentence: The",
)
CODE = (
    "def main(args):\n    for",
    "import os\nimport",
    "for (int i = 0; i < n; i++) {\n",
    "# This function returns the",
    "class Item:\n    def __init__(self,",
    "if x is None:\n    return",
    "const result =",
    "SELECT name FROM",
    '<div class="',
    "public static void",
    "    return self.",
    "// TODO:",
    '{\n  "name": "',
    "try:\n    value =",
    "git commit -m",
)
KINDS = (PROSE, DIALOGUE, INSTRUCTIONS, CODE)
_PLACES = {Split.EXPLORE: 0, Split.VALIDATE: 1, Split.SEALED: 2}


class Opener(NamedTuple):
    """One beginning."""

    name: str
    """What stands in place of a document's id."""
    text: str


def openers_of(split: Split) -> tuple[tuple[Opener, ...], ...]:
    """The openers of `split`, kind by kind; no two splits share one."""
    return tuple(
        tuple(Opener(f"opener {kind}.{n}", text) for n, text in enumerate(texts) if n % 3 == _PLACES[split])
        for kind, texts in enumerate(KINDS)
    )
