"""A file that says all of a labelling run, or of several: settings, the order, and what is swept over.

    explainer = "openai:gpt-5-mini"          # settings, as in glossator.toml
    [run]                                    # as the flags of `glossator run start`
    features = "all"
    budget = "20usd"                         # for all runs together
    until = "07:00"
    [sweep]                                  # one run for each combination, in this order
    dictionary = ["neurons:4", "neurons:8"]

A run gets what the runs before it left of the budget. Paths are relative to the file.
"""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ConfigDict, Field, ValidationError

from glossator.agents.llm_calls.budget import Limits
from glossator.errors import SettingsError, listed, without_credentials
from glossator.records import Depth, Record, RunOrder, RunSpending, Shortfall
from glossator.run_planning import RunWish
from glossator.run_until import parse_until
from glossator.settings import EffectiveSettings, Settings, beside

SWEPT = ("subject", "dictionary", "site")
"""Settings that may be swept over, the outermost first."""
_DIGITS = 9
"""Of what is left of a budget: less than that is nothing."""


class RunTable(Record):
    """The table `[run]`; its keys are the flags of `glossator run start`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    features: str
    depth: Depth = Depth.LABEL
    order: RunOrder = RunOrder.PROMISING
    budget: str = ""
    until: str = ""
    shortfall: Shortfall = Shortfall.FEWER
    explain_by: str | None = None
    score_by: str | None = None
    samples: int = Field(default=1, ge=1, le=20)
    causal: bool = False
    workers: int = Field(default=1, ge=1, le=256)
    notify: str = ""
    labels_from: str = ""


class PlannedStep(NamedTuple):
    """One run of a plan file."""

    settings: Settings
    words: str
    """What is particular to it; empty without a sweep."""


class PlanFile(NamedTuple):
    """What a file asks for."""

    wish: RunWish
    """Of every run; the budget is that of all together."""
    steps: tuple[PlannedStep, ...]


def read_plan_file(file: Path, here: EffectiveSettings) -> PlanFile:
    """Read `file`; settings given on the command line stand above it, all others below.

    Raises:
        SettingsError: it cannot be read, a key is unknown, or a value is out of range.

    """
    content = _content(file)
    table, swept = _table(content, "run", file), _table(content, "sweep", file)
    own = {key: value for key, value in content.items() if key not in ("run", "sweep")}
    _refuse_unknown(own, [*Settings.model_fields, "run", "sweep"], "", file)
    _refuse_unknown(table, RunTable.model_fields, "[run] ", file)
    _refuse_unknown(swept, SWEPT, "[sweep] ", file)
    return PlanFile(_wish(table, file), tuple(_steps(own, _lists(swept, file), here, file)))


def left_of(budget: str, spent: Iterable[RunSpending], seconds: float = 0.0) -> str | None:
    """What `spent` and `seconds` leave of `budget`, in the form of `--budget`; None if nothing is left."""
    if not budget:
        return ""
    limits, done = Limits.parse(budget), list(spent)
    used = {
        "usd": (limits.usd, sum((s.usd or 0.0) + s.unaccounted_usd for s in done)),
        "tokens": (limits.tokens, sum(s.tokens for s in done)),
        "calls": (limits.calls, sum(s.calls + s.unaccounted_calls for s in done)),
        "s": (limits.seconds, seconds),
    }
    left = {
        unit: round(float(limit - spent), _DIGITS)
        for unit, (limit, spent) in used.items()
        if limit is not None
    }
    if any(amount <= 0 for amount in left.values()):
        return None
    return ",".join(_amount(amount, unit) for unit, amount in left.items())


def _amount(amount: float, unit: str) -> str:
    return f"{amount:.{_DIGITS}f}".rstrip("0").rstrip(".") + unit


def _content(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"the plan in {str(file)!r} cannot be read: {error}") from error


def _table(content: Mapping[str, Any], name: str, file: Path) -> dict[str, Any]:
    table = content.get(name, {})
    if not isinstance(table, dict) or (name == "run" and not table):
        raise SettingsError(f"the plan in {str(file)!r} has no table [{name}]: write [{name}] with its keys")
    return dict(table)


def _refuse_unknown(given: Iterable[str], known: Iterable[str], where: str, file: Path) -> None:
    names = list(known)
    for key in given:
        if key not in names:
            near = get_close_matches(key, names, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {listed(names, limit=len(names))}"
            raise SettingsError(f"unknown key {where}{key!r} in {str(file)!r}: {hint}")


def _wish(table: dict[str, Any], file: Path) -> RunWish:
    try:
        read = RunTable.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"[run] {key} in {str(file)!r} is {first['input']!r}: {first['msg']}"
            if first["type"] != "missing"
            else f"[run] in {str(file)!r} does not say {key!r}"
        ) from error
    if read.budget:
        Limits.parse(read.budget)
    until = parse_until(read.until) if read.until else ""
    return RunWish(**dict(read))._replace(until=until)


def _lists(swept: Mapping[str, Any], file: Path) -> dict[str, list[str]]:
    for key, values in swept.items():
        if not isinstance(values, list) or not values or not all(isinstance(v, str) for v in values):
            raise SettingsError(f"[sweep] {key} in {str(file)!r} is {values!r}: write a list of texts")
    return {key: list(dict.fromkeys(swept[key])) for key in SWEPT if key in swept}


def _steps(
    own: Mapping[str, Any], swept: Mapping[str, list[str]], here: EffectiveSettings, file: Path
) -> Iterable[PlannedStep]:
    base: dict[str, Any] = here.settings.model_dump()
    base |= {k: beside(file, k, v) for k, v in own.items() if here.origin.get(k) != "flag"}
    for values in itertools.product(*swept.values()):
        chosen = dict(zip(swept, values, strict=True))
        placed = {key: beside(file, key, value) for key, value in chosen.items()}
        try:
            settings = Settings.model_validate(base | placed)
        except ValidationError as error:
            first = error.errors()[0]
            key = first["loc"][0] if first["loc"] else "settings"
            given = without_credentials(repr(first["input"]), marked=True)
            raise SettingsError(f"{key} in {str(file)!r} is {given}: {first['msg']}") from error
        yield PlannedStep(settings, ", ".join(f"{key} {value}" for key, value in chosen.items()))
