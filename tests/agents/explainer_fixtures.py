"""Planted features to explain, and scripted models that explain and read them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from glossator.agents.explainers.explain_feature import explain_feature
from glossator.agents.explainers.explainer_settings import ExplainerSettings
from glossator.agents.explainers.material import Material, OpenViews
from glossator.agents.explainers.validated import ExplainedFeature
from glossator.agents.llm_calls.budget import Budget, Limits
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import Role
from glossator.agents.llm_calls.prices import Prices
from glossator.agents.llm_calls.scripted_chat import Asked, Script, Scripted, ScriptedChat, verdicts
from glossator.agents.llm_calls.token_counts import TokenCounter
from glossator.agents.window_reading.reader import LlmReader
from glossator.probes.negatives import same_token_windows
from glossator.probes.planted_rules import ExceptionRule, PlantedRule, TokenSetRule
from glossator.probes.planted_truth import PlantedSubject, planted_firings, planted_text
from glossator.probes.split_view import ExploreView, ValidateView
from glossator.probes.token_effects import TokenEffects
from glossator.probes.windows import firing_windows, to_windows
from glossator.records import Explanation, FeatureRef, LlmSpending, TokenEffect, TokenIn

FILLERS = [
    f"{a}{b}" for a in ("ba", "co", "di", "fu", "ge", "lo", "mi", "nu") for b in ("rn", "st", "ld", "mp")
]
EXPLORE_MARK, VALIDATE_MARK = "exploremark", "validatemark"
RULES: tuple[PlantedRule, ...] = (
    TokenSetRule(kind="token_set", name="sea", tokens=(" sea", " ship")),
    ExceptionRule(
        kind="exception",
        name="sea, not after red",
        rule=TokenSetRule(kind="token_set", tokens=(" sea",)),
        unless_previous=(" red",),
    ),
    TokenSetRule(kind="token_set", name="only on explore", tokens=(f" {EXPLORE_MARK}",)),
)
SEA, EXCEPTION, ONLY_EXPLORE = range(len(RULES))


def _texts(n: int, seed: int, mark: str) -> list[str]:
    rng = np.random.default_rng(seed)
    words = [*FILLERS * 8, *["red"] * 4, *["red sea"] * 4, *["sea"] * 4, *["ship"] * 3, *[mark] * 12]
    return ["".join(f" {w}" for w in rng.choice(words, 200)) for _ in range(n)]


def open_views() -> OpenViews:
    explore, validate = _texts(30, 0, EXPLORE_MARK), _texts(12, 1, VALIDATE_MARK)
    subject = PlantedSubject.over([*explore, *validate], RULES)
    return OpenViews(
        ExploreView(planted_firings(subject, planted_text(subject, explore))),
        ValidateView(planted_firings(subject, planted_text(subject, validate))),
    )


def material_of(views: OpenViews, feature: int = SEA, embedded: str | None = "words: barn") -> Material:
    view = views.explore
    firing = firing_windows(view, feature, threshold=0.0, n=28, seed=0)
    ref = FeatureRef(subject="planted", dictionary="planted", index=feature)
    predicate = TokenIn(tokens=(" barn",))
    return Material(
        feature=ref,
        max_activation=float(view.firings(feature).activation.max()),
        windows=to_windows(view, feature, firing),
        silent=to_windows(view, feature, same_token_windows(view, feature, 6, 0)),
        effects=TokenEffects(
            (TokenEffect(token=" boat", effect=3.0), TokenEffect(token=" <s>|sail", effect=2.0)),
            (TokenEffect(token=" desert", effect=-2.0),),
        ),
        embedded=None if embedded is None else Explanation.of(ref, "embedded-analyst/1", embedded, predicate),
        evidence=("e-0123456789ab",),
    )


def names_a_word(claim: str, window: str) -> bool:
    """A claim `words: sea, ship` fits a window that holds one of them; `(not after red)` is heeded."""
    named = re.findall(r"\w+", claim.partition("words:")[2].partition("(")[0])
    before = "(?<! red)" if "(not after red)" in claim else ""
    return any(re.search(rf"{before} {word}\b", window) for word in named)


def answer(label: str, predicate: object = "") -> str:
    return json.dumps({"label": label, "predicate": predicate})


def saying(say: Callable[[Asked], str]) -> Script:
    return lambda asked: Scripted(say(asked))


def oracle(asked: Asked) -> str:
    """Names the marked words of its windows."""
    marked = [w for text in asked.windows.values() for w in re.findall(r"<<\s*(\w+?)\s*>>", text)]
    words = sorted(set(marked))
    predicate = {"kind": "token_in", "tokens": [f" {w}" for w in words]}
    return answer("words: " + ", ".join(words), json.dumps(predicate))


class Told:
    """What one explanation gave, with both models' requests."""

    def __init__(
        self,
        explained: ExplainedFeature,
        explainer: ScriptedChat,
        scorer: ScriptedChat,
        spending: LlmSpending,
    ) -> None:
        self.explained, self.explainer, self.scorer = explained, explainer, scorer
        self.spending = spending

    @property
    def chosen(self) -> Explanation:
        assert self.explained.chosen is not None
        return self.explained.candidates[self.explained.chosen].explanation

    @property
    def asked(self) -> list[str]:
        """What the explainer was told, whole, question by question."""
        return ["\n".join(m.content for m in r.messages) for r in self.explainer.requests]


def told(
    views: OpenViews,
    material: Material,
    explainer: Script | ScriptedChat,
    settings: ExplainerSettings | None = None,
    reader: Script | None = None,
    budget: str = "1000calls",
    dry: bool = False,
) -> Told:
    """`explain_feature` with scripted models."""
    writer = explainer if isinstance(explainer, ScriptedChat) else ScriptedChat(explainer, model="writer")
    scorer = ScriptedChat(reader or verdicts(names_a_word), model="reader")

    async def run() -> tuple[ExplainedFeature, LlmSpending]:
        calls = CallRoom(
            {Role.EXPLAINER: writer, Role.SCORER: scorer},
            budget=Budget(Limits.parse(budget)),
            store=None,
            slots=4,
            counter=TokenCounter(),
            prices=Prices(),
            dry=dry,
        )
        try:
            reader = LlmReader(calls, 5)
            explained = await explain_feature(calls, reader, views, material, settings or ExplainerSettings())
            return explained, calls.spending
        finally:
            await calls.close()

    explained, spending = asyncio.run(run())
    return Told(explained, writer, scorer, spending)


def without_silence(material: Material) -> Material:
    return replace(material, silent=())
