"""The models that investigations and requests ask, opened from settings; none where none is set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from glossator.agents.llm_calls.budget import Budget, Limits
from glossator.agents.llm_calls.chat import ChatEndpoint, Role
from glossator.agents.llm_calls.model_spec import ModelSpec
from glossator.errors import SettingsError
from glossator.llm_roles import agent_role_models, work_of
from glossator.session import Session

if TYPE_CHECKING:
    from glossator.agents.llm_calls.breaker import OutageNote
    from glossator.agents.llm_calls.call_room import CallRoom
    from glossator.agents.llm_calls.retry import RetryPolicy
else:
    CallRoom = OutageNote = RetryPolicy = Any

Endpoints = Callable[[Mapping[Role, ModelSpec]], Mapping[Role, ChatEndpoint]]
"""How models are opened; tests put scripted ones in their place."""


class AgentModels(NamedTuple):
    """Who is asked, and what may be spent."""

    models: Mapping[Role, ModelSpec]
    """Empty without an LLM."""
    limits: Limits
    endpoints: Endpoints | None = None
    """None opens the models by their specs."""
    budget: str = ""
    """The limits as they were given; empty for none."""

    @property
    def asks(self) -> bool:
        """Whether any model is asked at all."""
        return Role.INVESTIGATOR in self.models

    def work(self) -> dict[str, object]:
        """What decides the answers, for work keys."""
        return dict(work_of(self.models, self.models))


def agent_models(
    session: Session, budget: str | None, endpoints: Endpoints | None = None, *, without: bool = False
) -> AgentModels:
    """The models of the settings; none where `without` asks for none.

    Raises:
        SettingsError: there is a budget and no model that could spend it.
        BudgetError: the budget cannot be read.
        ModelAccessError: a model cannot be read.

    """
    models = {} if without else agent_role_models(session.settings)
    if budget is not None and Role.INVESTIGATOR not in models:
        raise SettingsError("--budget needs a model: set --investigator (or --explainer)")
    return AgentModels(models, Limits.parse(budget) if budget else Limits(), endpoints, budget or "")


class RoomRules(NamedTuple):
    """How a call room meets failures."""

    retry: RetryPolicy | None = None
    """None for the usual."""
    on_outage: Callable[[OutageNote], None] | None = None
    """Told when an endpoint is out, and when that is over."""


def open_calls(
    session: Session,
    models: AgentModels,
    run: str,
    budget: Budget | None = None,
    rules: RoomRules | None = None,
) -> CallRoom | None:
    """A call room whose calls `run` pays, from `budget` or within the models' own limits; None without an
    LLM. It belongs to one event loop.

    Raises:
        BudgetError: money is limited and a price is unknown.
        ModelAccessError: a key is missing.

    """
    if not models.asks:
        return None
    from glossator.agents.llm_calls.call_room import CallRoom
    from glossator.agents.llm_calls.open_endpoint import open_endpoints
    from glossator.agents.llm_calls.prices import Prices
    from glossator.agents.llm_calls.token_counts import TokenCounter
    from glossator.memory.call_store import CallStore

    settings = session.settings
    opened = (
        open_endpoints(models.models, timeout=settings.llm_timeout)
        if models.endpoints is None
        else models.endpoints(models.models)
    )
    return CallRoom(
        opened,
        budget=budget or Budget(models.limits),
        store=CallStore(session.ledger()),
        slots=settings.llm_slots,
        counter=TokenCounter(),
        prices=Prices(settings.price),
        run=run,
        retry=None if rules is None else rules.retry,
        on_outage=None if rules is None else rules.on_outage,
    )
