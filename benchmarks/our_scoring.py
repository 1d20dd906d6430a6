"""Our explainer and scorers with a scripted model, a ledger on disk, a budget and the cache.

What is set up here is what `glossator label` sets up; only the model's answers are scripted.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.planted_words import FeatureWindows, PlantedWords, Reader
from glossator.agents.explainers.explain_feature import explain_feature
from glossator.agents.explainers.explainer_settings import ExplainerSettings
from glossator.agents.explainers.material import Material, OpenViews
from glossator.agents.llm_calls.budget import Budget, Limits
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import Capabilities, ChatReply, ChatRequest, Role
from glossator.agents.llm_calls.prices import Prices
from glossator.agents.llm_calls.scripted_chat import Asked, ScriptedChat, by_form, verdicts
from glossator.agents.llm_calls.token_counts import TokenCounter
from glossator.agents.scorers.llm_bench import LlmBench
from glossator.agents.scorers.llm_scores import score_with_llm
from glossator.agents.scorers.llm_settings import LlmScoringSettings
from glossator.agents.window_reading.calibration import PromptSizeChoice, choose_windows_per_prompt
from glossator.agents.window_reading.calibration_windows import claimed_windows
from glossator.agents.window_reading.reader import LlmReader
from glossator.memory.call_store import CallStore
from glossator.memory.ledger import Ledger
from glossator.probes.token_effects import TokenEffects
from glossator.prompts.fence import marked
from glossator.records import Explanation, Metric, Negatives, Score, ScoreMethod

MARK = 0.3
"""Share of a window's strongest activation from which a token is marked, as the peer has it."""
TRIED_CLAIMS = 3
SLOTS = 32
NO_EFFECTS = TokenEffects((), ())


class Answered(NamedTuple):
    """One call as the model saw it."""

    request: ChatRequest
    text: str
    at: float
    """When it was answered; seconds of `time.perf_counter`."""


class InstantChat:
    """A `ChatEndpoint` that answers as the reader does, after `latency` seconds, and remembers answers.

    Remembered answers make its own share of a timed run negligible: the run before gave them all.
    """

    model, identity = "scripted", "benchmark:scripted"
    capabilities = Capabilities(schema=True)

    def __init__(self, reader: Reader, latency: float = 0.0) -> None:
        script = by_form(verdicts(reader.fires), {"label_answer": lambda asked: _label(reader, asked)})
        self._scripted, self.latency = ScriptedChat(script, capabilities=self.capabilities), latency
        self._known: dict[tuple[str, ...], ChatReply] = {}
        self.answered: list[Answered] = []

    async def complete(self, request: ChatRequest) -> ChatReply:
        if self.latency:
            await asyncio.sleep(self.latency)
        key = tuple(m.content for m in request.messages)
        reply = self._known.get(key)
        if reply is None:
            reply = self._known[key] = await self._scripted.complete(request)
        self.answered.append(Answered(request, reply.text, time.perf_counter()))
        return reply

    async def close(self) -> None:
        """Nothing to let go of."""


def _label(reader: Reader, asked: Asked) -> str:
    return json.dumps({"label": reader.label(asked.question), "predicate": ""})


class OurRun(NamedTuple):
    """One run of our explainer and scorers."""

    seconds: float
    answered: tuple[Answered, ...]
    scores: tuple[tuple[Score, ...], ...] = ()
    """Of each feature, where scores were made."""
    calls_by_feature: tuple[int, ...] = ()

    @property
    def calls(self) -> int:
        return len(self.answered)


class _Done(NamedTuple):
    scores: tuple[Score, ...]
    calls: int


class OurSide:
    """Our pipeline over planted words."""

    def __init__(self, planted: PlantedWords, windows: Sequence[FeatureWindows], chat: InstantChat) -> None:
        self._planted, self._windows, self._chat = planted, windows, chat
        self._views = OpenViews(planted.room.explore, planted.room.validate)

    def read_everything(self, slots: int, windows_per_prompt: int) -> OurRun:
        """Explain, then read all the peer's windows: what the peer's pipeline does, answers and all."""

        async def one(calls: CallRoom, windows: FeatureWindows) -> tuple[Score, ...]:
            claim = (await self._explained(calls, windows)).text
            reader = LlmReader(calls, windows_per_prompt)
            texts, marks = texts_of(windows)
            await asyncio.gather(reader.detect(claim, texts), reader.fuzz(claim, marks))
            return ()

        return self._run(one, slots)

    def score(self, slots: int, windows_per_prompt: int, settings: LlmScoringSettings) -> OurRun:
        """Explain and score as `glossator label` does."""
        named = zip(self._planted.features, self._planted.words, strict=True)
        others = [Explanation.of(f, "planted", f'the word "{w}"', None) for f, w in named]

        async def one(calls: CallRoom, windows: FeatureWindows) -> tuple[Score, ...]:
            explanation = await self._explained(calls, windows)
            bench = LlmBench(self._planted.room, calls, LlmReader(calls, windows_per_prompt), settings)
            return (await score_with_llm(bench, explanation, others)).scores

        return self._run(one, slots)

    def measured_prompt_size(self) -> PromptSizeChoice:
        """The windows per prompt that `glossator label` would choose, and its trials."""
        room, found = self._planted.room, list[PromptSizeChoice]()
        named = zip(self._planted.features[:TRIED_CLAIMS], self._planted.words, strict=False)
        claims = [Explanation.of(f, "planted", f'the word "{w}"', None) for f, w in named]
        items = [claimed_windows(room.validate, c, room.strong_threshold(c.feature)) for c in claims]

        async def choose(calls: CallRoom) -> None:
            found.append(await choose_windows_per_prompt(calls, [i for i in items if i is not None]))

        self._asked(SLOTS, choose)
        return found[0]

    async def _explained(self, calls: CallRoom, windows: FeatureWindows) -> Explanation:
        strongest = max(max(w.activations) for w in windows.train)
        material = Material(windows.feature, strongest, windows.train, (), NO_EFFECTS)
        explained = await explain_feature(
            calls, LlmReader(calls, 1), self._views, material, ExplainerSettings()
        )
        return explained.candidates[0].explanation

    def _run(
        self, one: Callable[[CallRoom, FeatureWindows], Awaitable[tuple[Score, ...]]], slots: int
    ) -> OurRun:
        """All features at once."""
        done: list[_Done] = []

        async def counted(calls: CallRoom, windows: FeatureWindows) -> _Done:
            with calls.meter() as meter:
                scores = await one(calls, windows)
            return _Done(scores, meter.spending.calls)

        async def everything(calls: CallRoom) -> None:
            done.extend(await asyncio.gather(*(counted(calls, windows) for windows in self._windows)))

        seconds = self._asked(slots, everything)
        scores, spent = tuple(d.scores for d in done), tuple(d.calls for d in done)
        return OurRun(seconds, tuple(self._chat.answered), scores, spent)

    def _asked(self, slots: int, work: Callable[[CallRoom], Awaitable[None]]) -> float:
        """Seconds that `work` takes with a new ledger in a file of its own, until all is on disk."""
        self._chat.answered.clear()
        with tempfile.TemporaryDirectory() as folder, Ledger.open(Path(folder) / "ledger.sqlite") as ledger:

            async def whole() -> None:
                calls = CallRoom(
                    {Role.EXPLAINER: self._chat, Role.SCORER: self._chat},
                    budget=Budget(Limits.parse("1Mcalls,1000Mtokens,10h")), store=CallStore(ledger),
                    slots=slots, counter=TokenCounter(), prices=Prices(),
                )  # fmt: skip
                await work(calls)
                await calls.close()

            began = time.perf_counter()
            asyncio.run(whole())
            return time.perf_counter() - began


class Shown(NamedTuple):
    """A feature's windows as readers are shown them, firing and silent mixed."""

    texts: list[str]
    marked: list[str]


def texts_of(windows: FeatureWindows) -> Shown:
    """Firing windows with their own marks, silent ones with one token marked at random."""
    rng = np.random.default_rng(windows.feature.index)
    marks = [_marks(w.activations) for w in windows.firing]
    for window in windows.silent:
        place = int(rng.integers(len(window.tokens)))
        marks.append([i == place for i in range(len(window.tokens))])
    both = [*windows.firing, *windows.silent]
    order = rng.permutation(len(both)).tolist()
    texts = ["".join(both[i].tokens) for i in order]
    return Shown(texts, [marked(both[i].tokens, marks[i]) for i in order])


def _marks(activations: Sequence[float]) -> list[bool]:
    least = MARK * max(activations)
    return [a >= least for a in activations]


def half_width(scores: Sequence[Score]) -> float | None:
    """Of the interval of detection against random windows."""
    interval = next(
        (
            s.interval
            for s in scores
            if (s.method, s.metric, s.negatives)
            == (ScoreMethod.DETECTION, Metric.BALANCED_ACCURACY, Negatives.RANDOM)
        ),
        None,
    )
    return None if interval is None else (interval.high - interval.low) / 2
