"""From a request, as read, to calls of tools: what each wish needs, with other ways where one fails.

Tools are named by what they do and given every argument that is known; those that a tool does not have are
left away when the call is fitted to the catalogue.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from glossator.agents.orchestrator.action import CallTool
from glossator.agents.orchestrator.request_reading import Reading, Wish
from glossator.agents.orchestrator.tool_use import checked_arguments
from glossator.agents.tools.tool import Catalogue

USUAL_PROMPTS = ("I think that", "The first thing to know is", "Yesterday we")
"""Beginnings of texts that a feature is turned up on where the request quotes none."""
MOST_FEATURES = 6
"""Features that are looked at one by one in one request."""
FOLLOWED, FOLLOWED_SLOWLY = 3, 2
"""Of features that a search found, those that are looked at further, and those that are steered."""
_OF_FOUND = {
    Wish.STEER, Wish.ABLATE, Wish.EFFECTS, Wish.NEIGHBOURS, Wish.TOGETHER, Wish.COMPARE, Wish.WINDOWS,
    Wish.INVESTIGATE, Wish.REFUTE,
}  # fmt: skip
"""Wishes that are of features; where none is named, of those that are found first."""


class Way(NamedTuple):
    """One way to reach an aim: a tool by any of several names, and every argument that may fit."""

    tools: tuple[str, ...]
    values: Mapping[str, Any]


class Aim(NamedTuple):
    """Something to find out: ways in order of preference, of which the first that gives facts is enough."""

    purpose: str
    """In words, for where it fails."""
    ways: tuple[Way, ...]
    needed: bool = True
    """Whether the request is not answered without it."""


def fitted(way: Way, catalogue: Catalogue) -> CallTool | None:
    """The call that `way` makes with these tools; None where no tool fits."""
    for name in way.tools:
        tool = catalogue.get(name)
        if tool is None:
            continue
        known = {k: v for k, v in way.values.items() if k in tool.arguments.model_fields}
        if not isinstance(checked_arguments(tool.arguments, known), str):
            return CallTool(name, known)
    return None


@dataclass(frozen=True)
class Known:
    """What earlier calls gave that later ones take."""

    found: tuple[int, ...] = ()
    """Features that searches found, best first."""
    windows: Mapping[int, str] = field(default_factory=dict[int, str])
    """A text on which each feature fires."""


def first_aims(reading: Reading, features: Sequence[int], known: Known) -> list[Aim]:
    """What to find out at first; `features` are those that the request is about, if it names any."""
    aims = [_evidence(identity) for identity in reading.evidence]
    if features:
        aims += _of_features(reading, features, known)
    elif not reading.evidence:
        aims += _searches(reading)
    if not aims and features:
        aims = [_card(f) for f in features[:MOST_FEATURES]]
    return aims


def follow_up_aims(reading: Reading, known: Known) -> list[Aim]:
    """What to find out of the features that a search found."""
    found = known.found
    if not reading.wishes & _OF_FOUND or not found:
        return []
    if reading.wants(Wish.PROBE, Wish.DISCOVER) and not reading.wants(Wish.STEER, Wish.ABLATE):
        return []  # those compare and rank by themselves
    reading = replace(reading, quoted=(), wishes=reading.wishes - {Wish.RECALL})  # both were for the search
    cards = [_card(f)._replace(needed=False) for f in found[:FOLLOWED]]
    slow = reading.wants(Wish.STEER, Wish.ABLATE, Wish.INVESTIGATE)
    return cards + _of_features(reading, found[: FOLLOWED_SLOWLY if slow else FOLLOWED], known)


def _of_features(reading: Reading, features: Sequence[int], known: Known) -> list[Aim]:
    few = features[:MOST_FEATURES]
    aims: list[Aim] = []
    if reading.wants(Wish.COMPARE) and len(features) > 1:
        aims.append(_compare(features))
    if reading.wants(Wish.TOGETHER):
        aims += [_compare(features)] if len(features) > 1 else []
        aims += [_one("fires together with others", ("coactivation",), f) for f in few[:2]]
    if reading.wants(Wish.LABEL):
        aims.append(_label(features))
    if reading.wants(Wish.PROBE, Wish.DISCOVER) and reading.topic and not reading.wants(Wish.COMPARE):
        aims += _concept(reading)
    for feature in few:
        aims += _of_one(reading, feature, known)
    if reading.wants(Wish.RECALL, Wish.REFUTE):
        needed = reading.wants(Wish.RECALL)
        aims.insert(0, _recall(reading, list(features))._replace(needed=needed))
    return aims


def _of_one(reading: Reading, feature: int, known: Known) -> Iterator[Aim]:
    texts = reading.quoted
    if reading.wants(Wish.INVESTIGATE):
        names = ("investigate_feature",)
        yield Aim(f"investigate feature {feature}", (Way(names, {"feature": feature}), *_card(feature).ways))
    if reading.wants(Wish.NEIGHBOURS):
        yield _one("neighbours of", ("neighbours",), feature)
    if reading.wants(Wish.EFFECTS):
        yield _one("output tokens of", ("logit_effects",), feature)
    if reading.wants(Wish.STEER):
        values: dict[str, Any] = {"feature": feature}
        values |= {"prompts": list(texts or USUAL_PROMPTS)}
        yield Aim(f"turn feature {feature} up", (Way(("steer",), values),))
    if reading.wants(Wish.ABLATE):
        named: dict[str, Any] = {"feature": feature}
        shown = texts[0] if texts else known.windows.get(feature)
        if shown is None:
            yield _windows(feature, weak=False)._replace(needed=False)
        named |= {} if shown is None else {"text": shown}
        yield Aim(f"ablate feature {feature}", (Way(("ablate",), named),))
    if reading.wants(Wish.WINDOWS, Wish.WEAK, Wish.REFUTE):
        yield _windows(feature, weak=reading.wants(Wish.WEAK))
    if reading.wants(Wish.REFUTE):
        yield _windows(feature, weak=True)._replace(needed=False)
    if texts and not reading.wants(Wish.STEER, Wish.ABLATE):
        yield _test(feature, texts)
    others = reading.wishes - {
        Wish.MEANING,
        Wish.TOKEN,
        Wish.DISCOVER,
        Wish.FIRE,
        Wish.ACCEPTED,
        Wish.OFTEN,
        Wish.STRONG,
    }
    if reading.wants(Wish.MEANING, Wish.REFUTE) or not (others or texts):
        yield _card(feature)._replace(needed=not others)


def _searches(reading: Reading) -> list[Aim]:
    """What to look for where no feature is named."""
    if not reading.of_features and not reading.wants(Wish.RECALL, Wish.PROBE, Wish.DISCOVER):
        return []
    if reading.wants(Wish.RECALL):
        return [_recall(reading, [])]
    if reading.wants(Wish.PROBE, Wish.DISCOVER) and reading.topic:
        return _concept(reading)
    if reading.quoted:
        return [_search_quoted(reading, text) for text in reading.quoted]
    if reading.topic:
        return _fire_on(reading.topic) if reading.wants(Wish.FIRE) else [_search_topic(reading.topic)]
    orders = ((Wish.ACCEPTED, "verdict"), (Wish.STRONG, "max"), (Wish.OFTEN, "density"))
    return [
        Aim("list features", (Way(("list_features",), {"by": by}),))
        for wish, by in orders
        if reading.wants(wish)
    ][:1]


def _search_quoted(reading: Reading, text: str) -> Aim:
    token = Way(("search_by_token",), {"token": text})
    whole = Way(("search_by_text",), {"text": text})
    single = len(text.split()) == 1
    return Aim(f'features that fire on "{text}"', (token, whole) if single else (whole,))


def _search_topic(topic: str) -> Aim:
    """By label; where nothing is labelled, by having the words read, then by each word as a token."""
    words = [w for w in topic.split() if len(w) > 3]
    ways = (
        Way(("search_by_meaning",), {"text": topic, "query": topic}),
        Way(("search_by_text",), {"text": topic}),
        *(Way(("search_by_token",), {"token": word}) for word in words[:3]),
    )
    return Aim(f"features about {topic}", ways)


def _fire_on(topic: str) -> list[Aim]:
    """What fires on texts about it is measured; labels only say what was found out of a few features."""
    search = _search_topic(topic).ways
    return [
        Aim(f"features that fire on texts about {topic}", (_discover(topic), *search)),
        Aim(f"features labelled as {topic}", search[:1], needed=False),
    ]


def _discover(topic: str) -> Way:
    return Way(("discover_features",), {"concept": topic})


def _concept(reading: Reading) -> list[Aim]:
    topic = reading.topic
    values: dict[str, Any] = {"concept": topic, "topic": topic, "text": topic, "name": topic}
    discover = _discover(topic)
    probe = Way(("train_probe", "linear_probe", "probe_concept"), values)
    search = _search_topic(topic).ways
    if not reading.wants(Wish.PROBE):
        return [Aim(f"features that separate {topic}", (discover, *search))]
    return [
        Aim(f"a linear probe for {topic}", (probe, discover)),
        Aim(f"features about {topic}", search, needed=False),
    ]


def _recall(reading: Reading, features: list[int]) -> Aim:
    numbers: list[Any] = list(features)
    about = reading.topic or (reading.quoted[0] if reading.quoted else "")
    words = about or " ".join(f"feature {n}" for n in features) or "what was found"
    values: dict[str, Any] = {"features": numbers, "text": words, "query": words, "about": words}
    if features:
        values["feature"] = features[0]
    return Aim("what earlier investigations found", (Way(("recall", "recall_findings"), values),))


def _compare(features: Sequence[int]) -> Aim:
    numbers: list[Any] = list(features[:8])
    return Aim("compare features", (Way(("compare_features",), {"features": numbers}),))


def _label(features: Sequence[int]) -> Aim:
    numbers: list[Any] = list(features)
    values: dict[str, Any] = {"features": numbers, "first": min(features), "last": max(features)}
    written = {"features": ",".join(map(str, features))}
    names = ("label", "label_features", "label_range")
    return Aim("label features", (Way(names, values), Way(names, {**values, **written})))


def _test(feature: int, texts: Sequence[str]) -> Aim:
    listed: list[Any] = list(texts)
    expected: list[Any] = ["fires"] * len(texts)
    values: dict[str, Any] = {
        "feature": feature, "texts": listed, "expectations": expected,
        "why": "the request asks whether it fires here",
    }  # fmt: skip
    return Aim(f"run texts through feature {feature}", (Way(("test_texts",), values),))


def _windows(feature: int, *, weak: bool) -> Aim:
    values: dict[str, Any] = {"feature": feature}
    return Aim(
        f"where feature {feature} fires", (Way(("windows",), values | ({"high": 0.3} if weak else {})),)
    )


def _card(feature: int) -> Aim:
    return _one("what is known of", ("feature_card",), feature)


def _one(purpose: str, tools: tuple[str, ...], feature: int) -> Aim:
    return Aim(f"{purpose} feature {feature}", (Way(tools, {"feature": feature}),))


def _evidence(identity: str) -> Aim:
    values: dict[str, Any] = {
        "evidence": identity,
        "id": identity,
        "evidence_id": identity,
        "ids": [identity],
    }
    return Aim(f"open {identity}", (Way(("read_evidence", "evidence"), values),))
