"""One function of the black-box benchmark through all arms: solved, graded, described, judged."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from glossator.agents.black_box.choice import (
    Choice,
    chosen_by_code,
    chosen_by_model,
    shuffled,
)
from glossator.agents.black_box.solving import (
    INPUTS,
    Solved,
    guess,
    investigate,
    investigate_embedded,
    one_shot,
    probe_randomly,
)
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import Unscored
from glossator.probes.black_boxes.box import BlackBox, Value
from glossator.probes.black_boxes.forms import Form
from glossator.probes.black_boxes.generate import HiddenFunction
from glossator.probes.black_boxes.grading import grade
from glossator.probes.black_boxes.kinds import Kind
from glossator.probes.black_boxes.look_alikes import look_alikes
from glossator.records import LlmSpending, Record

AGENT, ONE_SHOT, GUESS = "agent", "one_shot", "guess"
EMBEDDED, RANDOM, PRIOR = "embedded", "random", "prior"
WITH_MODEL, WITHOUT = (AGENT, ONE_SHOT, GUESS), (EMBEDDED, RANDOM, PRIOR)


class ArmResult(Record):
    """What one arm made of one function. None: not measured, or not scored for a reason."""

    arm: str
    """`agent`, `one_shot`, `guess` with the model; `embedded`, `random`, `prior` without."""
    form: Form | None
    """Its answer; None where there is none."""
    description: str
    """The answer in words."""
    right: bool | None
    """R² above 0.9, all held-out texts, or F1 of at least 0.9."""
    value: float | None
    """R² (not below 0), share of texts, or F1."""
    second_found: bool | None
    """Both concepts found."""
    exception: float | None
    """Overlap with the true exception."""
    exception_found: bool | None
    """The overlap is large enough."""
    by_model: float | None
    """Share of shufflings in which the model's choice was right."""
    by_code: float | None
    """The same with the executed form as judge."""
    calls: int
    """Questions put to the model while solving."""
    inputs: int
    """Experiments."""
    unscored: dict[str, int]
    """Unusable answers by reason: of proposals, and as `judge: …` of choices."""


class FunctionResult(Record):
    """One function, finished."""

    name: str
    """Kind, seed, number."""
    kind: Kind
    """Its kind."""
    truth: str
    """Its description."""
    arms: tuple[ArmResult, ...]
    """All arms."""
    spending: LlmSpending
    """Calls and tokens of all arms and the judge."""
    seconds: float
    """For all of it."""

    def arm(self, name: str) -> ArmResult | None:
        """The arm of that name."""
        return next((a for a in self.arms if a.arm == name), None)


class Plan(NamedTuple):
    """Sizes of a trial."""

    rounds: int = 4
    """Calls of the agent, and samples of the one-shot baseline."""
    shufflings: int = 3
    """Orders in which each description is judged; three make every place equally likely."""
    judged: bool = True
    """Whether the model judges too; code always does."""


class _Answered(NamedTuple):
    """An arm's answer and the inputs it was made from."""

    solved: Solved
    asked: frozenset[Value]


async def try_function(function: HiddenFunction, calls: CallRoom | None, plan: Plan) -> FunctionResult:
    """All arms on one function: those without a model, and with `calls` those of the model."""
    began = time.perf_counter()
    if calls is None:
        arms = await _arms(function, None, plan)
        spending = LlmSpending()
    else:
        with calls.meter() as meter:
            arms = await _arms(function, calls, plan)
        spending = meter.spending
    return FunctionResult(
        name=function.name,
        kind=function.kind,
        truth=function.form.describe(),
        arms=tuple(arms),
        spending=spending,
        seconds=round(time.perf_counter() - began, 2),
    )


async def _arms(function: HiddenFunction, calls: CallRoom | None, plan: Plan) -> list[ArmResult]:
    answered = {
        EMBEDDED: _boxed(function, investigate_embedded),
        RANDOM: _boxed(function, lambda box: probe_randomly(box, _SEED)),
        PRIOR: _Answered(await guess(function.signature, None), frozenset()),
    }
    if calls is not None:
        box, other = _box(function), _box(function)
        answered[AGENT] = _Answered(await investigate(box, calls, plan.rounds), _asked(box))
        answered[ONE_SHOT] = _Answered(await one_shot(other, calls, plan.rounds, _SEED), _asked(other))
        answered[GUESS] = _Answered(await guess(function.signature, calls), frozenset())
    return [
        await _result(function, arm, one, calls if plan.judged and arm in (AGENT, ONE_SHOT) else None, plan)
        for arm, one in answered.items()
    ]


_SEED = 20_000
"""Of the random inputs."""


def _box(function: HiddenFunction) -> BlackBox:
    return function.box(INPUTS[function.signature.takes].total)


def _asked(box: BlackBox) -> frozenset[Value]:
    return frozenset(p.given for p in box.pairs)


def _boxed(function: HiddenFunction, solve: Callable[[BlackBox], Solved]) -> _Answered:
    box = _box(function)
    return _Answered(solve(box), _asked(box))


async def _result(
    function: HiddenFunction, arm: str, answered: _Answered, judge: CallRoom | None, plan: Plan
) -> ArmResult:
    solved = answered.solved
    unscored = dict(solved.reasons)
    if solved.form is None:
        return ArmResult(
            arm=arm, form=None, description="", right=None, value=None, second_found=None, exception=None,
            exception_found=None, by_model=None, by_code=None, calls=solved.calls, inputs=solved.inputs,
            unscored=unscored,
        )  # fmt: skip
    found = grade(solved.form, function, answered.asked)
    description = solved.form.describe()
    shown = look_alikes(function)
    choices = [shuffled(shown.own, shown.others, turn, function.name) for turn in range(plan.shufflings)]
    by_code = [chosen_by_code(solved.form, c, turn) == c.right for turn, c in enumerate(choices)]
    by_model = None if judge is None else await _judged(description, choices, judge, unscored)
    return ArmResult(
        arm=arm, form=solved.form, description=description, right=found.right,
        value=round(max(0.0, found.value), 4), second_found=found.second_found, exception=found.exception,
        exception_found=found.exception_found, by_model=by_model, by_code=sum(by_code) / len(by_code),
        calls=solved.calls, inputs=solved.inputs, unscored=unscored,
    )  # fmt: skip


async def _judged(
    description: str, choices: list[Choice], judge: CallRoom, unscored: dict[str, int]
) -> float | None:
    """Share of right choices among those made; None where none could be read."""
    right: list[bool] = []
    for choice in choices:
        chosen = await chosen_by_model(description, choice, judge)
        if isinstance(chosen, Unscored):
            reason = f"judge: {chosen.reason}"
            unscored[reason] = unscored.get(reason, 0) + 1
        else:
            right.append(chosen == choice.right)
    return sum(right) / len(right) if right else None


class Finished:
    """Functions that are done, one JSON line each, kept across runs of the same trial."""

    def __init__(self, file: Path) -> None:
        self._file = file
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        found = [FunctionResult.model_validate_json(line) for line in lines if line.endswith("}")]
        self._by_name = {one.name: one for one in found}
        if lines and not file.read_text(encoding="utf-8").endswith("\n"):
            self._write("\n")  # a line that was torn stays one line

    def get(self, name: str) -> FunctionResult | None:
        """The function, if an earlier run finished it."""
        return self._by_name.get(name)

    def add(self, one: FunctionResult) -> None:
        """Keep a finished function."""
        self._write(one.model_dump_json() + "\n")

    def _write(self, text: str) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8") as out:
            out.write(text)
