"""What `label` asks of language models, read from flags and settings; nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple, TypeVar

from glossator.agents.llm_calls.budget import Limits
from glossator.agents.llm_calls.chat import Role
from glossator.agents.llm_calls.model_spec import ModelSpec
from glossator.errors import SettingsError, listed
from glossator.llm_roles import role_models, work_of
from glossator.records import ExplanationMethod, ScoreMethod
from glossator.settings import Settings

EXPLAINERS = tuple(
    m for m in ExplanationMethod if m not in (ExplanationMethod.EMBEDDED, ExplanationMethod.IMPORTED)
)
"""Methods that ask a model for an explanation."""
SCORERS = (
    ScoreMethod.DETECTION,
    ScoreMethod.FUZZING,
    ScoreMethod.INTRUDER,
    ScoreMethod.SIMULATION,
    ScoreMethod.SURPRISAL,
    ScoreMethod.GENERATION,
)
"""Methods that ask a model about an explanation; predicate and embedding are always measured."""
Choice = TypeVar("Choice", bound=StrEnum)


class LlmPlan(NamedTuple):
    """Which models, which methods, how much."""

    models: Mapping[Role, ModelSpec]
    explain_by: tuple[ExplanationMethod, ...]
    """Empty where no explainer is set: then the embedded labels alone are read."""
    score_by: tuple[ScoreMethod, ...]
    samples: int
    limits: Limits

    def work(self, settings: Settings, *, causal: bool = False, imported: bool = False) -> dict[str, object]:
        """What decides the answers, for the work key: finished under another plan is not finished.

        The order of `explain_by` is of preference and decides; that of `score_by` does not.

        Args:
            settings: what else decides.
            causal: whether effects are put into words as well, by the explainer.
            imported: whether labels of others are scored, so that no explainer writes any.

        """
        writes = bool(self.explain_by) and not imported
        explains = writes or causal or ScoreMethod.GENERATION in self.score_by
        roles = (Role.EXPLAINER, Role.SCORER) if explains else (Role.SCORER,)
        work: dict[str, object] = {
            "models": work_of(self.models, roles),
            "score_by": sorted(m.value for m in self.score_by),
            "windows_per_prompt": settings.windows_per_prompt,
        }
        if writes:
            work |= {"explain_by": [m.value for m in self.explain_by], "samples": self.samples}
        return work


def llm_plan(
    settings: Settings,
    *,
    explain_by: str | None = None,
    score_by: str | None = None,
    samples: int = 1,
    budget: str | None = None,
) -> LlmPlan | None:
    """The plan that settings and flags make; None where no model is set.

    Raises:
        SettingsError: A method is unknown, or a flag needs a model and none is set.
        BudgetError: The budget cannot be read.
        ModelAccessError: A model cannot be read.

    """
    models = role_models(settings)
    given = {"--explain-by": explain_by, "--score-by": score_by, "--budget": budget}
    if Role.SCORER not in models:
        asked = [flag for flag, value in given.items() if value is not None]
        if asked:
            raise SettingsError(f"{asked[0]} needs a model: set --explainer (and --scorer if it is another)")
        return None
    chosen = _chosen(explain_by or ExplanationMethod.ONE_SHOT.value, EXPLAINERS, "--explain-by")
    return LlmPlan(
        models=models,
        explain_by=chosen if Role.EXPLAINER in models else (),
        score_by=_chosen(score_by or "detection,fuzzing", SCORERS, "--score-by"),
        samples=samples,
        limits=Limits.parse(budget) if budget else Limits(),
    )


def _chosen(text: str, known: Iterable[Choice], flag: str) -> tuple[Choice, ...]:
    by_name = {one.value.replace("_", "-"): one for one in known}
    names = [name.strip().replace("_", "-") for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in by_name]
    if unknown or not names:
        raise SettingsError(f"{flag} {text!r} names {unknown[:1] or 'nothing'}: known are {listed(by_name)}")
    return tuple(by_name[name] for name in dict.fromkeys(names))
