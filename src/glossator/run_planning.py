"""From a session and a wish to a labelling run that stands in the ledger, ready to be started.

What there is nothing to do for is found out here, from statistics alone: dead, too rare and always-on
features, and those labelled before under the same settings.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from glossator.agent_calls import AgentModels, agent_models
from glossator.errors import SettingsError, UnknownNameError, UserError
from glossator.feature_selection import draw_features, parse_features
from glossator.investigation_run import investigation_key
from glossator.labelling_run import work_key
from glossator.llm_plan import LlmPlan, llm_plan
from glossator.memory.labelling_runs import LabellingRunStore, PlannedItem, order_id
from glossator.records import (
    Depth,
    FeatureRef,
    ImportedLabel,
    RunCounts,
    RunOrder,
    RunPlan,
    RunState,
    RunVariant,
    ScoreMethod,
    Shortfall,
)
from glossator.run_settings import MEANS, PLACES, stored_settings
from glossator.session import Session

if TYPE_CHECKING:
    from glossator.memory.done_before import DoneBefore
    from glossator.probes.activation_index import ActivationIndex
else:
    ActivationIndex = DoneBefore = Any

PANEL = 12
"""Features whose embedded labels make the shuffled baseline."""
CHEAPER_HALF_WIDTH = 0.15
"""Half width of the interval at which the cheaper variant stops reading."""
SELECTION_FORM = "write all, numbers and ranges such as 0-99,812, or random:500"


class RunWish(NamedTuple):
    """What somebody asks of a run, as the command line or a plan file says it."""

    features: str
    depth: Depth = Depth.LABEL
    order: RunOrder = RunOrder.PROMISING
    budget: str = ""
    until: str = ""
    """ISO 8601 with its offset; empty for never."""
    shortfall: Shortfall = Shortfall.FEWER
    explain_by: str | None = None
    score_by: str | None = None
    samples: int = 1
    causal: bool = False
    workers: int = 1
    notify: str = ""
    labels_from: str = ""
    force: bool = False


class PlannedRun(NamedTuple):
    """A run that stands in the ledger and was not begun."""

    id: str
    plan: RunPlan
    counts: RunCounts


class Draft(NamedTuple):
    """What a run would be."""

    plan: RunPlan
    items: tuple[PlannedItem, ...]

    @property
    def counts(self) -> RunCounts:
        """Features by state."""
        skipped = sum(bool(i.skip) for i in self.items)
        return RunCounts(planned=len(self.items) - skipped, skipped=skipped)


def plan_run(session: Session, wish: RunWish) -> PlannedRun:
    """Store the run that `wish` asks for; nothing is begun.

    Raises:
        UserError: an equal run is unfinished, and `wish` does not force another; or there is no feature.
        SettingsError: a method, a model or the budget is wrong.

    """
    draft = draft_run(session, wish)
    store = LabellingRunStore(session.ledger())
    known = unfinished_equal(store, draft.plan)
    if known is not None and not wish.force:
        raise UserError(
            f"the run {known} has the same order and is not finished: go on with it by "
            f"glossator run resume {known}, or order another one with --force"
        )
    return PlannedRun(store.create(draft.plan, draft.items), draft.plan, draft.counts)


def unfinished_equal(store: LabellingRunStore, plan: RunPlan) -> str | None:
    """The latest run with the same order that is not finished; None if there is none."""
    return next((run for run in equal_runs(store, plan) if store.state(run) is not RunState.FINISHED), None)


def equal_runs(store: LabellingRunStore, plan: RunPlan) -> list[str]:
    """Runs with the same order, newest first."""
    wanted = order_of(plan)
    return [stored.id for stored in store.all() if order_of(stored.plan) == wanted]


def order_of(plan: RunPlan) -> str:
    """The same for the same order, whatever a later start may change, and wherever things are kept."""
    settings = {k: v for k, v in plan.settings.items() if k not in (*PLACES, *MEANS)}
    fresh = {"budget": "", "until": "", "workers": 1, "notify": "", "settings": settings}
    return order_id(plan.model_copy(update=fresh))


def draft_run(session: Session, wish: RunWish) -> Draft:
    """What `wish` asks for, worked out; builds the index where need be, and stores nothing else."""
    asked = _asked(session, wish)
    check_selection(wish.features, session)
    index = session.index()
    labels = _imported(session, wish)
    plan = RunPlan(
        names=session.names(),
        index_identity=index.identity,
        depth=wish.depth,
        selection=wish.features.strip(),
        order=wish.order,
        variants=_variants(session, index, wish, asked, labels),
        panel=(),
        budget=wish.budget,
        until=wish.until,
        shortfall=wish.shortfall,
        causal=wish.causal,
        workers=wish.workers,
        notify=wish.notify,
        labels_from=wish.labels_from,
        settings=stored_settings(session.settings),
    )
    items, panel = _items(session, index, plan, labels, force=wish.force)
    if wish.force:
        plan = plan.model_copy(update={"variants": _never_done(plan.variants)})
    return Draft(plan.model_copy(update={"panel": panel}), items)


def _asked(session: Session, wish: RunWish) -> LlmPlan | AgentModels | None:
    """Who is asked, and of labels how; raises `SettingsError` for what does not go together."""
    budget = wish.budget or None
    if wish.depth is Depth.LABEL:
        return llm_plan(
            session.settings, explain_by=wish.explain_by, score_by=wish.score_by,
            samples=wish.samples, budget=budget,
        )  # fmt: skip
    of_labels = {
        "--labels-from": wish.labels_from, "--explain-by": wish.explain_by, "--score-by": wish.score_by,
        "--samples": wish.samples != 1, "--causal": wish.causal,
    }  # fmt: skip
    given = [flag for flag, value in of_labels.items() if value]
    if given:
        raise SettingsError(f"{given[0]} says how labels are made: it goes with --depth label alone")
    return agent_models(session, budget)


def check_selection(text: str, session: Session) -> None:
    """Raise `UserError` if `text` cannot be a selection, before an index is built for nothing."""
    kept = text.strip()
    if kept != "all" and _drawn(kept) is None:
        parse_features(kept, session.n_features())


def chosen_features(index: ActivationIndex, text: str, seed: int) -> list[int]:
    """The features that `text` selects, in the order in which it names them."""
    kept = text.strip()
    if kept == "all":
        return list(range(index.n_features))
    drawn = _drawn(kept)
    if drawn is not None:
        return draw_features(index.live_features(), drawn, seed)
    parts = [parse_features(part, index.n_features) for part in kept.split(",")]
    return list(dict.fromkeys(feature for part in parts for feature in part))


def _drawn(text: str) -> int | None:
    """How many `random:N` draws; None where `text` does not begin so."""
    if not text.startswith("random"):
        return None
    number = text.removeprefix("random").lstrip(": ")
    if not number.isdecimal() or int(number) < 1:
        raise SettingsError(f"cannot read the features {text!r}: {SELECTION_FORM}")
    return int(number)


def _imported(session: Session, wish: RunWish) -> dict[int, ImportedLabel] | None:
    """The labels of others that are to be scored; None where new ones are to be written."""
    if not wish.labels_from:
        return None
    from glossator.memory.imported_store import imported_labels

    labels = imported_labels(session.ledger(), session.names(), wish.labels_from)
    if not labels:
        raise UnknownNameError(
            f"no labels by {wish.labels_from!r} are stored for this dictionary: "
            "glossator import neuronpedia|delphi FOLDER --store-only"
        )
    return labels


def _variants(
    session: Session,
    index: ActivationIndex,
    wish: RunWish,
    asked: LlmPlan | AgentModels | None,
    labels: Mapping[int, ImportedLabel] | None,
) -> tuple[RunVariant, ...]:
    """The ordered way, and a cheaper one where something can be left out."""
    if isinstance(asked, AgentModels):
        return (RunVariant(work_key=investigation_key(session, asked)),)
    key = partial(work_key, session, index, causal=wish.causal, labels=labels)
    if asked is None:
        return (RunVariant(work_key=key(None)),)
    full = _variant(asked, key(asked))
    if wish.shortfall is not Shortfall.CHEAPER:
        return (full,)
    fewer = tuple(m for m in asked.score_by if m is not ScoreMethod.FUZZING) or asked.score_by
    cheaper = asked._replace(score_by=fewer)
    return full, _variant(cheaper, key(cheaper, half_width=CHEAPER_HALF_WIDTH), CHEAPER_HALF_WIDTH)


def _variant(asked: LlmPlan, key: str, half_width: float | None = None) -> RunVariant:
    return RunVariant(
        work_key=key,
        explain_by=tuple(m.value for m in asked.explain_by),
        score_by=tuple(m.value for m in asked.score_by),
        samples=asked.samples,
        half_width=half_width,
    )


def _never_done(variants: tuple[RunVariant, ...]) -> tuple[RunVariant, ...]:
    """Under keys of their own, so that the queue takes over nothing that other runs have done."""
    again = uuid.uuid4().hex[:8]
    return tuple(v.model_copy(update={"work_key": f"{v.work_key}-again-{again}"}) for v in variants)


def _items(
    session: Session,
    index: ActivationIndex,
    plan: RunPlan,
    labels: Mapping[int, ImportedLabel] | None,
    *,
    force: bool,
) -> tuple[tuple[PlannedItem, ...], tuple[int, ...]]:
    """The features of a run in its order, and its panel."""
    from glossator.agents.llm_calls.retry import ENDPOINT_FAILURES
    from glossator.agents.run_work.feature_order import in_order, unfit_at_planning
    from glossator.memory.done_before import done_before

    statistics = index.statistics
    count, density = statistics.count, statistics.density
    chosen = chosen_features(index, plan.selection, session.settings.seed)
    features, worth = in_order(chosen, plan.order, count, density, index.token_concentration)
    ledger = session.ledger()
    known = {} if force else done_before(ledger, plan.variants[0].work_key, sorted(ENDPOINT_FAILURES))
    items: list[PlannedItem] = []
    panel: list[int] = []
    for feature, priority in zip(features.tolist(), worth.tolist(), strict=True):
        ref = FeatureRef(subject=plan.names.subject, dictionary=plan.names.dictionary, index=feature)
        unfit = unfit_at_planning(int(count[feature]), float(density[feature]))
        if not unfit and len(panel) < PANEL:
            panel.append(feature)
        if not unfit and labels is not None and feature not in labels:
            unfit = f"no label by {plan.labels_from}"
        items.append(_item(ref, priority, unfit, known))
    return tuple(items), tuple(panel)


def _item(ref: FeatureRef, priority: float, unfit: str, known: dict[str, DoneBefore]) -> PlannedItem:
    if unfit:
        return PlannedItem(ref, priority, unfit)
    before = known.get(str(ref))
    if before is None:
        return PlannedItem(ref, priority)
    reason = f"labelled before under the same settings by the run {before.run} (--force labels again)"
    return PlannedItem(ref, priority, reason, before.card)
