"""What looking at memory needs of a session: whose findings, and what to hold them against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from glossator.errors import UnknownNameError
from glossator.records import FeatureNames

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

    from glossator.agents.memory_use.ground import Ground
    from glossator.session import Session
else:
    Ground = Session = Any


def remembered_names(session: Session) -> FeatureNames | None:
    """Whose findings are meant, without loading a model: those of the settings, or the only ones there are.

    None where nothing was learnt and no index says whose they would be.

    Raises:
        UnknownNameError: findings are of several dictionaries, and the settings name none of them.

    """
    known = session.passport()
    if known is not None:
        return FeatureNames(known.subject, known.dictionary)
    from glossator.memory.finding_store import FindingStore

    learnt = FindingStore(session.ledger()).dictionaries()
    stored = sorted({*learnt, *(FeatureNames(*names) for names in session.ledger().dictionaries())})
    if len(stored) > 1:
        told = ", ".join(f"{n.subject}/{n.dictionary}" for n in stored[:5])
        raise UnknownNameError(
            f"findings of which dictionary? The ledger knows {told}: give --subject and --dictionary, and "
            "build their index: glossator index build"
        )
    return stored[0] if stored else None


def contradiction_ground(session: Session) -> Ground:
    """What claims are held against; without an index, neither tokens nor directions are compared."""
    from glossator.agents.memory_use.ground import Ground as Made

    embedder = None if session.settings.embedder == "hashing" else session.embedder
    if session.passport() is None:
        return Made(embedder)

    def directions(features: Sequence[int]) -> Float[np.ndarray, "n d"]:
        return session.dictionary.directions()[list(features)].float().cpu().numpy()

    return Made(embedder, session.index().explore, directions)
