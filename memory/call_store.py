"""Answers of language models in the ledger, found again by the hash of what was asked.

What was asked is never stored: scorers' prompts hold sealed text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import func, select

from glossator.memory.ledger import Ledger
from glossator.memory.ledger_tables import LlmCallRow
from glossator.records import PromptRef, Record

_AT_ONCE = 500
"""Keys in one query; SQLite takes 32,766 parameters, old builds 999."""


class StoredCall(Record):
    """One answer that was paid for."""

    key: str
    """SHA-256, in hex, of the endpoint's identity and the whole request."""
    identity: str
    """The endpoint: provider, model, URL."""
    model: str
    """The model's short name."""
    role: str
    """Who asked: `explainer`, `scorer`, …"""
    run: str
    """The run that paid; empty where it was none."""
    prompt: PromptRef
    """The prompt file that it was asked with."""
    answer: str
    """The answer as compact JSON, see `agents/llm_calls/stored_answer.py`."""
    input_tokens: int | None
    """As the endpoint counted; None where it did not say."""
    output_tokens: int | None
    cached_tokens: int
    """Of the input, those out of the provider's prefix cache."""
    counter: str
    """What made the two estimates."""
    estimated_input: int
    """Input tokens that were estimated, uncorrected."""
    estimated_output: int
    """Tokens of the likely answer, uncorrected."""
    usd: float | None
    """What it cost; None where the price is unknown."""


class StoredTotals(NamedTuple):
    """Sums over the stored calls of one prompt at one endpoint, those that the endpoint counted."""

    prompt: str
    estimated_input: int
    input_tokens: int
    estimated_output: int
    output_tokens: int


class CallStore:
    """The ledger's table of LLM calls. Its methods block, and may be called from any thread."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def add(self, calls: Sequence[StoredCall]) -> None:
        """Store `calls` in one transaction, on disk when this returns; keys that are there are left alone.

        Raises:
            StorageError: The disk is full, or another process holds the ledger.

        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        # In one order: two that store the same answers at once must not wait for each other in a circle.
        ordered = sorted(calls, key=lambda call: call.key)
        self._ledger.add_rows(LlmCallRow, [_row(call, now) for call in ordered])

    def find(self, keys: Sequence[str]) -> dict[str, StoredCall]:
        """The stored calls among `keys`, by key."""
        found: dict[str, StoredCall] = {}
        columns = LlmCallRow.__table__.columns
        for start in range(0, len(keys), _AT_ONCE):
            query = select(*columns).where(LlmCallRow.key.in_(keys[start : start + _AT_ONCE]))
            for row in self._ledger.read_rows(query):
                found[row["key"]] = _call(row)
        return found

    def totals(self, identity: str, counter: str) -> list[StoredTotals]:
        """By prompt, what `counter` estimated for the endpoint `identity` and what that counted."""
        summed = (
            LlmCallRow.estimated_input,
            LlmCallRow.input_tokens,
            LlmCallRow.estimated_output,
            LlmCallRow.output_tokens,
        )
        query = select(LlmCallRow.prompt, *(func.sum(column).label(column.key) for column in summed))
        query = query.where(
            LlmCallRow.identity == identity,
            LlmCallRow.counter == counter,
            LlmCallRow.input_tokens.is_not(None),
            LlmCallRow.output_tokens.is_not(None),
        ).group_by(LlmCallRow.prompt)
        return [
            StoredTotals(row["prompt"], *(int(row[name]) for name in StoredTotals._fields[1:]))
            for row in self._ledger.read_rows(query)
        ]

    def count(self) -> int:
        """How many answers are stored."""
        query = select(func.count().label("n")).select_from(LlmCallRow)
        return self._ledger.read_rows(query)[0]["n"]


def _row(call: StoredCall, now: str) -> dict[str, object]:
    plain: dict[str, object] = {name: getattr(call, name) for name in StoredCall.model_fields}
    ref = call.prompt
    return {
        **plain,
        "prompt": ref.name,
        "prompt_version": ref.version,
        "prompt_sha256": ref.sha256,
        "at": now,
    }


def _call(row: Mapping[str, Any]) -> StoredCall:
    ref = {"name": row["prompt"], "version": row["prompt_version"], "sha256": row["prompt_sha256"]}
    kept = {name: row[name] for name in StoredCall.model_fields}
    return StoredCall.model_validate({**kept, "prompt": ref})
