"""From settings to what tools measure with: each heavy part is made when a tool first needs it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from glossator.session import Session

if TYPE_CHECKING:
    from glossator.agents.causal.bench import CausalBench
    from glossator.agents.causal.causal_findings import Causes
    from glossator.agents.feature_preparation import LabelledFeature
    from glossator.agents.tools.workbench import Workbench
    from glossator.memory.findings_index import FindingsIndex
    from glossator.probes.activation_index import ActivationIndex
    from glossator.probes.token_effects import TokenEffects
else:
    ActivationIndex = Causes = CausalBench = FindingsIndex = LabelledFeature = TokenEffects = Workbench = Any

Part = TypeVar("Part")


def open_workbench(session: Session) -> Workbench:
    """The bench over the session's index, which is built where it does not stand.

    Tools run on threads, so one lock guards the making of parts: none is made twice.
    """
    from glossator.agents.tools.workbench import Workbench as Bench

    index = session.index()
    guard = threading.RLock()

    def once(make: Callable[[], Part]) -> Callable[[], Part]:
        made: list[Part] = []

        def part() -> Part:
            with guard:
                if not made:
                    made.append(make())
                return made[0]

        return part

    effects = session.token_effects()

    def guarded_effects(feature: int) -> TokenEffects:
        with guard:
            return effects(feature)

    causal = once(lambda: _causal(session, index))
    return Bench(
        names=session.names(),
        index=index,
        ledger=session.ledger(),
        embedder=session.embedder,
        dictionary=once(lambda: session.dictionary),
        activations=once(session.text_activations),
        effects=guarded_effects,
        findings=lambda: _synced(session, guard),
        subject=once(lambda: session.subject),
        causal=causal,
        causes=once(lambda: _causes(causal(), session, index)),
        label=lambda features: _labelled(session, index, features, guard),
        seed=session.settings.seed,
    )


def _causal(session: Session, index: ActivationIndex) -> CausalBench:
    from glossator.agents.scorers import open_scoring_room
    from glossator.causal_bench import open_causal_bench

    return open_causal_bench(session, index, open_scoring_room(index, session.embedder))


def _causes(bench: CausalBench, session: Session, index: ActivationIndex) -> Causes:
    from glossator.causal_bench import causes_over

    return causes_over(bench, session, index)


def _synced(session: Session, guard: threading.RLock) -> FindingsIndex:
    """The findings index, holding the labels that are current now."""
    with guard:
        findings = session.findings()
        findings.sync(session.ledger())
        return findings


def _labelled(
    session: Session, index: ActivationIndex, features: list[int], guard: threading.RLock
) -> list[LabelledFeature]:
    """Labels of the embedded analyst, stored as `glossator label` stores them: a tool asks no model."""
    from glossator.agents.feature_preparation import LabelledFeature as Labelled
    from glossator.labelling_run import LabellingRun

    with guard:
        run = LabellingRun(session, index, features, force=False)
        return [Labelled(finished.card, ()) for finished in run]
