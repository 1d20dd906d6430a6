"""A scripted model that plans as a competent one would: from the request, the tools offered and the facts.

It knows nothing of the suite or of the written rules. It slips as models do, drawn from the request: it calls
tools that do not exist, gives arguments wrong names, and cites evidence that it made up.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from glossator.agents.llm_calls.chat import ToolCall
from glossator.agents.llm_calls.scripted_chat import Asked, Scripted

_TOOL = re.compile(r"^T\|(\w+)\(", re.M)
_REQUEST = re.compile(r"^Q\|([^|]*)\|Q$", re.M)
_CALL = re.compile(r"^S\d+\|(\w+)(\([^|]*?\))(: \d+ facts|[^|]*failed:)", re.M)
_FACT = re.compile(r"^(F\d+)\|([^|]*)\|F", re.M)
_EARLIER = re.compile(r"^(?:Q0|K\d+)\|([^|]*)\|", re.M)
_QUOTES = re.compile(r"[\"“]([^\"”]+)[\"”]|(?<!\w)'([^']+)'(?!\w)")
_IN_WORDS = re.compile(
    r" (?:about|for|on|of) ((?:the |money |legal )?[a-z ]+?)(?:[,.?]| and | from | with |$)"
)


class _Step(NamedTuple):
    tool: str
    arguments: dict[str, Any]


class _Sight(NamedTuple):
    """What the prompt shows."""

    request: str
    tools: frozenset[str]
    called: dict[str, bool]
    """Tool and arguments, as text, to whether it gave facts."""
    facts: list[tuple[str, str]]
    earlier: str


def competent(asked: Asked) -> Scripted:
    """The next action, in the form that is asked for."""
    sight = _seen(asked)
    plan = _plan(sight)
    done = [text.partition("(")[0] for text in sight.called]
    slip = _slip(sight.request, done)
    step = slip or next((s for s in plan if not _made(s, sight)), None)
    if step is not None and "Answer now" not in asked.question:
        return _spoken(asked, {"tool": step.tool, "arguments": json.dumps(step.arguments)})
    claims = [{"text": text, "facts": [label]} for label, text in sight.facts[:18]]
    if claims and _share(sight.request, "made up") < 0.3:
        claims.append({"text": "feature 7 is about everything", "facts": ["F99", "e-00000000beef"]})
    reached = bool(plan) and all(sight.called.get(_text(s), False) for s in plan)
    return _spoken(asked, {"tool": "answer", "arguments": "", "claims": claims, "enough": reached})


def _slip(request: str, done: Sequence[str]) -> _Step | None:
    if done:
        return None
    share = _share(request, "slip")
    if share < 0.2:
        return _Step("get_feature_info", {"id": 3})
    return _Step("feature_card", {"index": 3}) if share < 0.4 else None


def _made(step: _Step, sight: _Sight) -> bool:
    return _text(step) in sight.called


def _text(step: _Step) -> str:
    given = ", ".join(f"{k}={json.dumps(v, ensure_ascii=False)}" for k, v in step.arguments.items())
    return f"{step.tool}({given})"


def _seen(asked: Asked) -> _Sight:
    said = asked.question
    request = found[1] if (found := _REQUEST.search(said)) else ""
    offered = [t.name for t in asked.request.tools] or _TOOL.findall(said)
    called = {m[1] + m[2]: "failed" not in m[3] and m[3] != ": 0 facts" for m in _CALL.finditer(said)}
    return _Sight(request, frozenset(offered), called, _FACT.findall(said), " ".join(_EARLIER.findall(said)))


def _plan(sight: _Sight) -> list[_Step]:
    """Every call that the request needs, as far as it can be told now."""
    words = sight.request
    ids = re.findall(r"e-[0-9a-f]{12}", words)
    if ids:
        return [_Step("read_evidence", {"id": i}) for i in ids]
    quotes = [a or b for a, b in _QUOTES.findall(words)]
    plain = _QUOTES.sub("", words)
    features = _numbers(plain)
    if not features and re.search(r"\bthey\b|\bthem\b", plain) and sight.earlier and not quotes:
        features = _numbers(sight.earlier)[:2]
    if features:
        return _of_features(plain, features, quotes, sight)
    steps = _search(plain, quotes)
    return steps + (_after_search(plain, sight) if steps and any(_made(s, sight) for s in steps) else [])


def _numbers(text: str) -> list[int]:
    spans = [range(int(a), int(b) + 1) for a, b in re.findall(r"(\d+) (?:to|-) (\d+)", text)]
    written = [int(n) for n in re.findall(r"(?<![\w.-])#?(\d{1,6})\b(?! ?%)", text)]
    return list(dict.fromkeys([*(n for span in spans for n in span), *written]))


def _search(words: str, quotes: Sequence[str]) -> list[_Step]:
    low = words.lower()
    topic = _topic(low)
    if re.search(r"learn|so far|know", low):
        return [_Step("recall", {"text": topic or low})]
    if "probe" in low:
        return [_Step("train_probe", {"concept": topic or low})]
    if "discover" in low:
        return [_Step("discover_features", {"concept": topic or low})]
    if "feature" not in low:
        return []
    if quotes:
        one_word = len(quotes[0].split()) == 1
        return [
            _Step("search_by_token", {"token": quotes[0]})
            if one_word
            else _Step("search_by_text", {"text": quotes[0]})
        ]
    if "most often" in low:
        return [_Step("list_features", {"by": "density"})]
    return [_Step("search_by_meaning", {"text": topic})] if topic else []


def _topic(low: str) -> str:
    found = [t.strip() for t in _IN_WORDS.findall(low)]
    return found[0] if found else ""


def _after_search(words: str, sight: _Sight) -> list[_Step]:
    found = list(dict.fromkeys(n for _, text in sight.facts for n in _numbers_of_features(text)))[:1]
    return _asked_of(words.lower(), found, [], sight) if found else []


def _numbers_of_features(text: str) -> list[int]:
    return [int(n) for n in re.findall(r"feature (\d+)", text)]


def _of_features(words: str, features: list[int], quotes: Sequence[str], sight: _Sight) -> list[_Step]:
    low = words.lower()
    steps: list[_Step] = []
    if len(features) > 1 and re.search(r"common|differ|compar|redundant|together", low):
        steps.append(_Step("compare_features", {"features": features}))
    if "label feature" in low:
        steps.append(_Step("label_features", {"features": ",".join(map(str, features))}))
    if re.search(r"earlier|already know", low):
        steps.append(_Step("recall", {"text": f"feature {features[0]}", "feature": features[0]}))
    steps += [] if steps else _asked_of(low, features[:1], quotes, sight)
    return steps or [_Step("feature_card", {"feature": features[0]})]


def _asked_of(low: str, features: list[int], quotes: Sequence[str], sight: _Sight) -> list[_Step]:
    steps: list[_Step] = []
    for f in features:
        one = {"feature": f}
        if re.search(r"neighbour|similar", low):
            steps.append(_Step("neighbours", one))
        if "together" in low:
            steps.append(_Step("coactivation", one))
        if re.search(r"promote|more likely", low):
            steps += [_Step("logit_effects", one), _Step("feature_card", one)][: 2 if "mean" in low else 1]
        if re.search(r"steer|turn", low) and "off" not in low:
            steps.append(_Step("steer", {"feature": f, "prompts": list(quotes) or ["I think that"]}))
        if re.search(r"ablat|off", low):
            steps.append(
                _Step("ablate", {"feature": f, "text": quotes[0] if quotes else "the fund had a budget"})
            )
        if re.search(r"example|windows|refute", low):
            steps.append(_Step("windows", one))
        if "refute" in low:
            steps.append(_Step("feature_card", one))
        if "investigate" in low and "investigations" not in low:
            steps.append(_Step("investigate_feature", one))
        if quotes and not steps:
            expected = ["fires"] * len(quotes)
            given = {"feature": f, "texts": list(quotes), "expectations": expected, "why": "asked"}
            steps.append(_Step("test_texts", given))
    return steps


def _spoken(asked: Asked, action: dict[str, Any]) -> Scripted:
    whole: dict[str, Any] = {"thought": "", "claims": [], "enough": False, **action}
    if not asked.request.tools:
        return Scripted(json.dumps(whole))
    if whole["tool"] != "answer":
        return Scripted("", tool_calls=(ToolCall(whole["tool"], whole["arguments"]),))
    given = json.dumps({"claims": whole["claims"], "enough": whole["enough"]})
    return Scripted("", tool_calls=(ToolCall("answer", given),))


def _share(request: str, purpose: str) -> float:
    """A number in [0, 1) that belongs to the request and the purpose."""
    return int(hashlib.sha256(f"{purpose}{request}".encode()).hexdigest()[:8], 16) / 16**8
