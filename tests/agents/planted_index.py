"""A real index over planted features, and a scripted model that knows what they are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from glossator.agents.explainers.label_writing import LabelAnswer
from glossator.agents.feature_preparation import FeaturePreparation
from glossator.agents.llm_calls.answer_parsing import schema_of
from glossator.agents.llm_calls.budget import Budget, Limits
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import ChatEndpoint, Role
from glossator.agents.llm_calls.prices import Prices
from glossator.agents.llm_calls.scripted_chat import Asked, Script, by_form, marked_parts, verdicts
from glossator.agents.llm_calls.token_counts import TokenCounter
from glossator.agents.llm_labelling import LlmLabeller, LlmLabelling
from glossator.memory.call_store import CallStore
from glossator.probes.activation_index import ActivationIndex, build_index
from glossator.probes.corpus_document import Document
from glossator.probes.planted_rules import TokenSetRule, load_rules
from glossator.probes.planted_truth import PlantedDictionary, PlantedSubject
from glossator.probes.sentence_embedder import HashingEmbedder
from glossator.probes.split_assignment import split_of
from glossator.probes.token_effects import TokenEffects
from glossator.records import FeatureNames

FILLER = "the man see a house and go to it when they leave or stay by night"
LABEL_FORM = schema_of(LabelAnswer).name
"""What the schema of an explainer's answer is called."""
RULES = ("modal verbs", "sea", "money", "dead")
WORDS = {
    "modal verbs": ("would", "could", "should"),
    "sea": ("ship", "harbour", "sail"),
    "money": ("tax", "budget", "fund"),
}


class PlantedIndex(NamedTuple):
    """An index whose features are the rules, in the order of `RULES`."""

    activations: ActivationIndex
    dictionary: PlantedDictionary
    subject: PlantedSubject

    def preparation(self) -> FeaturePreparation:
        """Features ready to be explained."""
        return FeaturePreparation(
            self.activations,
            self.dictionary,
            lambda _: TokenEffects((), ()),
            embedder=HashingEmbedder(),
            names=FeatureNames("planted", "planted"),
        )

    def labeller(self, asked: LlmLabelling) -> LlmLabeller:
        """A labeller over all features."""
        return LlmLabeller(self.preparation(), asked, range(len(RULES)))


def planted_index(folder: Path, after_ships: str = "") -> PlantedIndex:
    """Build the index in `folder`: 150 texts of common words; each names its own split in one of its own.

    `after_ships` stands after most ships, whatever it says.
    """
    words = FILLER.split() * 8 + [w for group in WORDS.values() for w in group]
    words += [f"ship {after_ships}"] * 3 if after_ships else []
    rng = np.random.default_rng(5)
    documents: list[Document] = []
    for i in range(150):
        body = " ".join(rng.choice(words, 200))
        split = split_of(f"{body} mark")  # the mark must not move the text to another split
        text = next(t for n in range(999) if split_of(t := f"{body} mark{split} n{n}") is split)
        documents.append(Document(f"d{i}", "", "", text, "made"))
    dead = next(rule for rule in load_rules() if rule.name == "dead")
    sets = [
        TokenSetRule(kind="token_set", name=name, tokens=tuple(f" {w}" for w in group))
        for name, group in WORDS.items()
    ]
    subject = PlantedSubject.over([d.text for d in documents], (*sets, dead))
    dictionary = PlantedDictionary(len(RULES))
    return PlantedIndex(build_index(folder, subject, dictionary, documents, context=64), dictionary, subject)


def named_words(claim: str) -> set[str]:
    """Words that a claim quotes."""
    return set(re.findall(r'"\s?([a-z]+)"', claim))


def fits(claim: str, text: str) -> bool:
    """Whether a quoted word stands in the window; where tokens are marked, in most of the marks."""
    wanted, marks = named_words(claim), marked_parts(text)
    if not marks:
        return bool(wanted & set(re.findall("[a-z]+", text)))
    hits = sum(bool(wanted & set(re.findall("[a-z]+", mark))) for mark in marks)
    return hits > len(marks) / 2


def true_label(asked: Asked) -> str:
    """The explanation that the marked tokens of the windows give away."""
    marks = [mark for text in asked.windows.values() for mark in marked_parts(text)]
    marked = {word for mark in marks for word in re.findall("[a-z]+", mark)}
    name = max(WORDS, key=lambda n: len(marked & set(WORDS[n])))
    listed = ", ".join(f'"{w}"' for w in WORDS[name])
    return json.dumps({"label": f"one of the words {listed}", "predicate": ""})


def oracle() -> Script:
    """Explains truly and reads truly."""
    return by_form(verdicts(fits), {LABEL_FORM: true_label})


def room_of(
    endpoint: ChatEndpoint, store: CallStore | None = None, limits: Limits | None = None, *, dry: bool = False
) -> tuple[CallRoom, Budget]:
    """A call room in which one endpoint plays both roles, and its budget."""
    budget = Budget(limits or Limits())
    room = CallRoom(
        {Role.EXPLAINER: endpoint, Role.SCORER: endpoint, Role.INVESTIGATOR: endpoint},
        budget=budget,
        store=store,
        slots=8,
        counter=TokenCounter(),
        prices=Prices("1/1"),
        dry=dry,
    )
    return room, budget
