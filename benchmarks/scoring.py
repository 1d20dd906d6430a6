"""Explaining and scoring with a model: speed and cost against delphi 0.1.3, with the same scripted model.

    python -m benchmarks.scoring [--quick] [--json]

Features fire on one word each of the starter corpus. Both sides get the same windows of each (40 to
explain from, 50 firing and 50 silent to read) and the same reader, who is wrong about a tenth of the
windows. The peer runs its own pipeline with its defaults (an explanation, 20 prompts of detection, 20 of
fuzzing, five windows each); it keeps no ledger. Ours writes every answer to a ledger on disk before it is
used, looks every question up there first, and reserves each call in a budget.

- prompts a second: no latency, all features at once; medians of alternating runs after one to warm up.
  Ours explains and reads the same 200 windows per feature, as the peer's pipeline does.
- slots: an answer takes 0.2 s, 32 at once; answers a second from a tenth to nine tenths of all calls,
  as a share of 32 / 0.2 s.
- calls and tokens per feature: ours explains, then reads detection and fuzzing until each interval's
  half-width is 0.1 (against silent windows, as the peer does), with as many windows per prompt as
  measured agreement allows; beside that with the peer's five, and with our baselines (an empty
  explanation, other features' ones) included. All intervals are made by one method, which resamples
  documents. Tokens are those of prompts and answers, by the starter subject's tokenizer where it is in
  the cache, else words and signs.
"""

from __future__ import annotations

import argparse
import gc
import re
import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from pydantic import JsonValue

from benchmarks.delphi_scoring import SHOWN, Messages, detection_of, load_scoring, run_peer
from benchmarks.our_scoring import SLOTS, Answered, InstantChat, OurRun, OurSide, half_width
from benchmarks.planted_words import SEED, FeatureWindows, PlantedWords, Reader, plant_words, windows_of
from benchmarks.report_form import Row, emit
from glossator.agents.scorers import ScoringSettings
from glossator.agents.scorers.llm_settings import LlmScoringSettings
from glossator.settings import load_settings

NOISE = 0.1
LATENCY = 0.2
WANTED = 0.1
"""Half-width of detection's interval at which ours stops."""


class Sizes(NamedTuple):
    """How much is measured."""

    features: int = 48
    timed: int = 24
    """Features of the runs without latency."""
    runs: int = 5
    characters: int = 4_000_000
    """Of text."""
    n_train: int = 40
    """Firing windows to explain from, the peer's default."""
    n_test: int = 50
    """Firing windows to read, and silent ones, the peer's default."""


QUICK = Sizes(features=6, timed=4, runs=1, characters=1_500_000)
LIKE_THE_PEER = LlmScoringSettings(half_width=WANTED, stop_when_clear=False, max_hard=0, n_baseline=0)
BASELINES_TOO = LlmScoringSettings(half_width=WANTED, stop_when_clear=False, max_hard=0)


class Sides(NamedTuple):
    """Both sides over the same features."""

    planted: PlantedWords
    windows: tuple[FeatureWindows, ...]
    reader: Reader
    chat: InstantChat
    ours: OurSide


class Cost(NamedTuple):
    """What one way of scoring takes per feature."""

    calls: float
    calls_spread: float
    """Standard deviation over features."""
    tokens: float
    reached: float
    """Mean half-width of detection's interval."""
    widest: float


def sides(sizes: Sizes) -> Sides:
    """Plant the features and cut their windows."""
    n = sizes.n_test
    settings = ScoringSettings(n_firing=2 * n, n_random=2 * n, n_hard=0)
    planted = plant_words(sizes.features, sizes.characters, settings, least=3 * n)
    windows = tuple(windows_of(planted, f, sizes.n_train, n) for f in planted.features)
    reader = Reader(planted.words, NOISE)
    chat = InstantChat(reader)
    return Sides(planted, windows, reader, chat, OurSide(planted, windows, chat))


def speeds(both: Sides, sizes: Sizes, peer: bool) -> dict[str, list[float]]:
    """Prompts a second of both sides and of our whole scoring, run in turn; the first of each is dropped."""
    timed, chosen = sizes.timed, both.windows[: sizes.timed]
    ours = OurSide(both.planted, chosen, both.chat)
    everything = replace(LIKE_THE_PEER, half_width=0.0)
    ways: dict[str, Callable[[], float]] = {
        "ours": lambda: _speed(ours.read_everything(2 * timed, SHOWN)),
        "ours_with_scores": lambda: _speed(ours.score(2 * timed, SHOWN, everything)),
    }
    if peer:
        remembered: dict[str, str] = {}
        ways["peer"] = lambda: _peer_speed(both, chosen, timed, remembered)
    found: dict[str, list[float]] = {name: [] for name in ways}
    gc.collect()
    gc.freeze()  # what was planted is no garbage, and neither side should pay for looking through it
    for run in range(sizes.runs + 1):
        for name, way in ways.items():
            gc.collect()
            speed = way()
            found[name] += [speed] if run else []
    return found


def _speed(run: OurRun) -> float:
    return run.calls / run.seconds


def _peer_speed(
    both: Sides, windows: Sequence[FeatureWindows], timed: int, remembered: dict[str, str]
) -> float:
    run = run_peer(windows, both.reader, concurrency=timed, remembered=remembered)
    return run.calls / run.seconds


class SlotShares(NamedTuple):
    """Answers a second as a share of the most that the slots allow."""

    steady: float
    """From a tenth to nine tenths of all answers."""
    whole: float
    """Over the whole run, its beginning and end included."""
    calls: int


def share_of_slots(both: Sides) -> SlotShares:
    """How well `SLOTS` slots are used when an answer takes `LATENCY`."""
    both.chat.latency = LATENCY
    run = OurSide(both.planted, both.windows, both.chat).read_everything(SLOTS, SHOWN)
    both.chat.latency = 0.0
    at = sorted(one.at for one in run.answered)
    first, last = len(at) // 10, len(at) * 9 // 10
    steady, most = (last - first) / (at[last] - at[first]), SLOTS / LATENCY
    return SlotShares(steady / most, run.calls / run.seconds / most, run.calls)


def cost_of(run: OurRun, windows: Sequence[FeatureWindows], count: Callable[[str], int]) -> Cost:
    """Calls, tokens and half-widths of our scoring."""
    tokens = sum(_tokens(one, count) for one in run.answered)
    widths = [w for scores in run.scores if (w := half_width(scores)) is not None]
    return _cost(run.calls_by_feature, tokens / len(windows), widths)


def _cost(calls: Sequence[int], tokens: float, widths: Sequence[float]) -> Cost:
    return Cost(
        statistics.mean(calls), statistics.pstdev(calls), tokens, statistics.mean(widths), max(widths)
    )


def _tokens(one: Answered, count: Callable[[str], int]) -> int:
    return sum(count(m.content) for m in one.request.messages) + count(one.text)


def peer_cost(both: Sides, count: Callable[[str], int]) -> Cost:
    """The same of the peer, which always asks as much."""
    total = 0

    def seen(messages: Messages, answer: str) -> None:
        nonlocal total
        total += sum(count(m["content"]) for m in messages) + count(answer)

    run = run_peer(both.windows, both.reader, concurrency=len(both.windows), seen=seen)
    n = len(both.windows)
    widths = [s.half_width for s in detection_of(run, both.windows)]
    return _cost([run.calls // n] * n, total / n, widths)


class Measured(NamedTuple):
    """The table and the keys."""

    rows: list[Row]
    keys: dict[str, JsonValue]


class Tokenizer(NamedTuple):
    """Counts tokens, and what it is called."""

    name: str
    tokens_in: Callable[[str], int]


def tokenizer() -> Tokenizer:
    """The starter subject's, where a copy is in the cache."""
    found = sorted((load_settings().settings.cache / "converted").glob("*/tokenizer.json"))
    if not found:
        words = re.compile(r"\w+|[^\w\s]")
        return Tokenizer("words and signs", lru_cache(None)(lambda text: len(words.findall(text))))
    from tokenizers import Tokenizer as Loaded

    loaded = Loaded.from_file(str(found[0]))
    return Tokenizer(
        "SmolLM2's tokenizer",
        lru_cache(None)(lambda text: len(loaded.encode(text, add_special_tokens=False).ids)),
    )


def _report_costs(both: Sides, peer: bool, rows: list[Row], keys: dict[str, JsonValue]) -> None:
    counter = tokenizer()
    choice = both.ours.measured_prompt_size()
    size, tried = choice.windows_per_prompt, sum(t.calls for t in choice.trials)
    ours = cost_of(both.ours.score(SLOTS, size, LIKE_THE_PEER), both.windows, counter.tokens_in)
    five = cost_of(both.ours.score(SLOTS, SHOWN, LIKE_THE_PEER), both.windows, counter.tokens_in)
    full = cost_of(both.ours.score(SLOTS, size, BASELINES_TOO), both.windows, counter.tokens_in)
    named = {"": ours, "_five_per_prompt": five, "_with_baselines": full}
    keys |= {"windows_per_prompt_measured": size, "calls_to_measure_it": tried}
    rows.append(Row("windows per prompt, measured", str(size), f"once per run, {tried} calls"))
    theirs = peer_cost(both, counter.tokens_in) if peer else None
    keys["tokenizer"] = counter.name
    for suffix, cost in named.items():
        keys[f"calls_per_feature{suffix}"] = round(cost.calls, 2)
        keys[f"tokens_per_feature{suffix}"] = round(cost.tokens)
        keys[f"half_width{suffix}"] = round(cost.reached, 4)
        ratio = None if theirs is None else round(cost.tokens / theirs.tokens, 4)
        keys[f"tokens_ratio_to_delphi{suffix}"] = ratio
        rows.append(_cost_row(f"ours{suffix.replace('_', ' ')}", cost, ratio))
    keys["calls_spread"] = round(ours.calls_spread, 2)
    if theirs is not None:
        keys |= {
            "delphi_calls_per_feature": theirs.calls, "delphi_tokens_per_feature": round(theirs.tokens),
            "delphi_half_width": round(theirs.reached, 4),
        }  # fmt: skip
        rows.append(_cost_row("delphi", theirs, None))


def _cost_row(name: str, cost: Cost, ratio: float | None) -> Row:
    value = f"{cost.calls:.1f} ± {cost.calls_spread:.1f} calls, {cost.tokens:.0f} tokens per feature"
    share = "" if ratio is None else f"{ratio:.2f} of delphi's tokens; "
    return Row(name, value, f"{share}half-width {cost.reached:.3f}, at most {cost.widest:.3f}")


def _report_speeds(found: dict[str, list[float]], rows: list[Row], keys: dict[str, JsonValue]) -> None:
    medians = {name: statistics.median(values) for name, values in found.items()}
    for name, values in found.items():
        keys[f"prompts_per_s_{name}"] = round(medians[name], 1)
        rows.append(
            Row(f"prompts/s, {name}", f"{medians[name]:.0f}", f"{min(values):.0f} to {max(values):.0f}")
        )
    for name in ("ours", "ours_with_scores"):
        ratio = round(medians[name] / medians["peer"], 4) if "peer" in medians else None
        keys[f"prompts_per_s_ratio_to_delphi{name.removeprefix('ours')}"] = ratio
        if ratio is not None:
            rows.append(
                Row(f"prompts/s, {name} to delphi's", f"{ratio:.2f} ×", "bar 1" if name == "ours" else "")
            )


def measure(sizes: Sizes, *, peer: bool) -> Measured:
    """Everything: costs, then speeds, then slots."""
    both = sides(sizes)
    rows: list[Row] = []
    keys: dict[str, JsonValue] = {
        "features": sizes.features, "noise": NOISE, "seed": SEED, "windows_per_prompt": SHOWN,
    }  # fmt: skip
    _report_costs(both, peer, rows, keys)
    _report_speeds(speeds(both, sizes, peer), rows, keys)
    share = share_of_slots(both)
    keys |= {"slot_ceiling_share_32": round(share.steady, 4), "slot_share_whole_run": round(share.whole, 4)}
    note = f"bar 90 %; {share.whole:.1%} over all {share.calls} calls, beginning and end included"
    rows.append(Row("share of 32 slots at 0.2 s", f"{share.steady:.1%}", note))
    return Measured(rows, keys)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few features, one timed run")
    parser.add_argument("--json", action="store_true", help="one last line of JSON")
    chosen = parser.parse_args()
    sizes = QUICK if chosen.quick else Sizes()
    rows, keys = measure(sizes, peer=load_scoring())
    title = (
        f"Explaining and scoring: {sizes.features} planted features, "
        f"{sizes.n_test} + {sizes.n_test} windows each, a scripted model that errs on {NOISE:.0%}, "
        f"seed {SEED}"
    )
    emit(title, rows, keys, chosen.json, ("glossator", "eai-delphi", "sqlalchemy"))


if __name__ == "__main__":
    main()
