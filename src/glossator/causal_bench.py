"""From a session to what measures what features cause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glossator.session import Session

if TYPE_CHECKING:
    from glossator.agents.causal.bench import CausalBench
    from glossator.agents.causal.causal_findings import Causes
    from glossator.agents.scorers import ScoringRoom
    from glossator.probes.activation_index import ActivationIndex
else:
    ActivationIndex = Causes = CausalBench = ScoringRoom = Any


def open_causal_bench(session: Session, index: ActivationIndex, room: ScoringRoom) -> CausalBench:
    """The bench over the session's subject and dictionary, which must be those of `index`.

    Raises:
        IndexMismatchError: they are not.
    """
    from glossator.agents.causal.bench import CausalBench, CausalSettings
    from glossator.probes.interventions.runs import InterventionRuns

    index.require(session.subject, session.dictionary)
    return CausalBench(
        InterventionRuns(session.subject),
        session.dictionary,
        room,
        session.names(),
        CausalSettings(seed=session.settings.seed),
    )


def open_causes(session: Session, index: ActivationIndex, room: ScoringRoom) -> Causes:
    """What measures causes over the splits of `room`."""
    return causes_over(open_causal_bench(session, index, room), session, index)


def causes_over(bench: CausalBench, session: Session, index: ActivationIndex) -> Causes:
    """What measures causes on a bench that is open."""
    from glossator.agents.causal.causal_findings import Causes

    return Causes(bench, session.token_effects(), tuple(index.live_features().tolist()))
