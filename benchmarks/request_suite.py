"""The suite of requests in words: what each one should lead to, and whether an answer did."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from glossator.agents.orchestrator.named_in_text import named_features
from glossator.records import Answer, ClaimStanding, Record

SUITE = Path(__file__).parents[1] / "tests" / "requests" / "requests.toml"
HELD_OUT = SUITE.with_name("held_out.toml")
"""Requests that neither the rules nor the scripted model were tuned on."""


class Request(Record):
    """One request of the suite; see the head of the file for what the fields mean."""

    name: str
    text: str
    all: tuple[str, ...] = ()
    any: tuple[tuple[str, ...], ...] = ()
    never: tuple[str, ...] = ()
    enough: bool | None = None
    features: tuple[int, ...] = Field(default=())
    says: str = ""
    after: str = ""


class Outcome(NamedTuple):
    """How one request went."""

    request: Request
    answer: Answer
    problems: tuple[str, ...]
    """What was not as expected; empty for a pass."""

    @property
    def passed(self) -> bool:
        """Everything was as expected."""
        return not self.problems


def load_suite(path: Path = SUITE) -> tuple[Request, ...]:
    """All requests of the suite."""
    listed = tomllib.loads(path.read_text(encoding="utf-8"))["request"]
    return tuple(Request.model_validate(entry) for entry in listed)


def judged(request: Request, answer: Answer, *, check_features: bool = True) -> Outcome:
    """The outcome of one request; a tool counts where it gave facts."""
    called = [line.partition("(")[0] for line in answer.tried]
    gave = {line.partition("(")[0] for line in answer.tried if _gave_facts(line)}
    problems = [f"{tool} gave no facts" for tool in request.all if tool not in gave]
    problems += [f"none of {', '.join(some)} gave facts" for some in request.any if not gave & set(some)]
    problems += [f"{tool} was called" for tool in request.never if tool in called]
    if request.enough is not None and answer.enough is not request.enough:
        problems.append(f"enough is {answer.enough}")
    supported = [c for c in answer.claims if c.standing is ClaimStanding.SUPPORTED]
    named = {f for claim in supported for f in named_features(claim.text)}
    if check_features and not named >= set(request.features):
        problems.append(f"no supported claim names {sorted(set(request.features) - named)}")
    if check_features and not any(request.says in claim.text for claim in supported) and request.says:
        problems.append(f"no supported claim says {request.says!r}")
    return Outcome(request, answer, tuple(problems))


def _gave_facts(tried: str) -> bool:
    count = tried.rsplit(": ", 1)[-1].split(" ")
    return len(count) == 2 and count[0].isdigit() and int(count[0]) > 0 and count[1].startswith("fact")


def pass_rate(outcomes: Sequence[Outcome]) -> float:
    """Share of requests that passed."""
    return sum(o.passed for o in outcomes) / max(1, len(outcomes))
