"""What is a label and what is not."""

from __future__ import annotations

import pytest

from glossator.agents.explainers.label_validation import clean_label, unfit_label
from glossator.prompts.fence import fenced
from glossator.prompts.prompt_file import load_prompt, predicate_help

PROMPT = load_prompt("explain_one_shot").render(
    windows=[fenced(1, "the river bank was muddy", strength=4)],
    tokens=[fenced("marked", '" bank" x4')],
    predicate_help=predicate_help(),
)


@pytest.mark.parametrize(
    ("written", "label"),
    [
        ('"cats and dogs"', "cats and dogs"),
        ("Label: cats.", "cats"),
        ("**Cats**", "Cats"),
        ("- The feature fires on cats", "cats"),
        ('"The feature activates for the word <<bank>> near rivers."', "the word 'bank' near rivers"),
        ("1. cats\n   and dogs", "cats and dogs"),
        ("[EXPLANATION]: cats", "cats"),
        ("words such as \"cat\" and 'dog'", "words such as \"cat\" and 'dog'"),
        ("ellipsis ...", "ellipsis ..."),
        ("", ""),
        ("'", "'"),
        ("the feature phone", "the feature phone"),
    ],
)
def test_cleaning(written: str, label: str) -> None:
    assert clean_label(written) == label
    assert clean_label(label) == label


@pytest.mark.parametrize(
    "label",
    [
        "the word 'bank' in texts on rivers",
        "numbers after a dollar sign",
        'apologies such as "I\'m sorry" and "I cannot"',
        "opening braces { and brackets [ in code",
        "the < and > of HTML tags such as <div>",
        "the letter s after an apostrophe",
        "OK and okay as agreement",
        "Named persons, above all surnames after a title",
        "猫に関する単語",
        "the word none in prices",
        "null",
        "vertical bars | between | cells",
    ],
)
def test_labels(label: str) -> None:
    assert unfit_label(label, prompt=PROMPT) == ("placeholder" if label == "null" else None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("x" * 301, "too long"),
        ("a " * 61, "too long"),
        ("…", "placeholder"),
        ("label", "placeholder"),
        ("N/A", "placeholder"),
        ("Your label here", "placeholder"),
        ("Explanation could not be parsed.", "placeholder"),
        ("No clear pattern was found in these windows", "placeholder"),
        ("at most 20 words", "placeholder"),
        ("the following tokens in context:", "placeholder"),
        ("I'm sorry, but I can't help with that", "refusal"),
        ("As an AI, I do not label features", "refusal"),
        ("<think>windows 1 and 2", "thinking leak"),
        ("Okay, let me look at the windows", "thinking leak"),
        ("We need to find what the tokens share", "thinking leak"),
        ("Let's see: cats", "thinking leak"),
        ('{"label": "cats"}', "format leak"),
        ('cats", "predicate": ""', "format leak"),
        ("1|the river bank|1", "format leak"),
        ("the word <<bank", "format leak"),
        ("```cats", "format leak"),
        ("cats<|im_end|>", "format leak"),
        ("Find what they share that other text lacks", "prompt echo"),
        ("saying which tokens in which context, as specific as possible", "prompt echo"),
    ],
)
def test_what_is_no_label(text: str, reason: str) -> None:
    assert unfit_label(text, prompt=PROMPT) == reason


def test_what_was_shown_is_no_echo_of_the_instructions() -> None:
    assert unfit_label("the river bank was muddy and wet", prompt=PROMPT) is None


def test_the_longest_label_fits() -> None:
    assert unfit_label("x" * 300, prompt=PROMPT) is None
    assert unfit_label("a " * 60, prompt=PROMPT) is None
