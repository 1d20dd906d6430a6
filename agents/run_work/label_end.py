"""What becomes of a feature of a run once it has a label, or once no label could be decided."""

from __future__ import annotations

from glossator.agents.feature_preparation import LabelledFeature
from glossator.agents.headline import headline_value, is_llm
from glossator.agents.llm_calls.retry import ENDPOINT_FAILURES
from glossator.memory.work_queue import Ended, Lease
from glossator.records import FeatureCard, ItemState


def ended_with(lease: Lease, variant: int, made: LabelledFeature) -> Ended:
    """Done with its card; or failed, to be tried again, where the endpoint answered nothing that counts.

    A card with some answers unscored is worth keeping: it says how many, and why.
    """
    card = made.card
    spent, failures = card.spending, _endpoint_failures(card)
    if failures and not _is_read_by_a_model(card):
        reason = f"no answer that counts: {', '.join(failures)}"
        return Ended(lease, ItemState.FAILED, variant=variant, reason=reason, retryable=True, spending=spent)
    return Ended(
        lease, ItemState.DONE, card, made.evidence, variant=variant, value=headline_value(card),
        verdict=card.verdict.kind.value, spending=spent, retryable=bool(failures),
    )  # fmt: skip


def _endpoint_failures(card: FeatureCard) -> list[str]:
    """Reasons that say something of the endpoint alone."""
    unscored = {} if card.spending is None else card.spending.unscored
    return sorted(ENDPOINT_FAILURES.intersection(unscored))


def _is_read_by_a_model(card: FeatureCard) -> bool:
    scores = (*card.scores, *(s for c in card.candidates for s in c.scores))
    return any(s.value is not None for s in scores if is_llm(s.reader))
