from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from glossator.agents.llm_calls.prices import Price, Prices, listed_price
from glossator.errors import BudgetError
from tests.agents.call_room_fixtures import TinyChat


@pytest.mark.parametrize(
    ("identity", "model", "known"),
    [
        ("openai:gpt-5-mini@https://api.openai.com/v1", "gpt-5-mini", True),
        ("openai:gpt-5-mini", "gpt-5-mini", True),
        ("anthropic:claude-sonnet-4-5", "claude-sonnet-4-5", True),
        ("google_genai:gemini-2.5-pro", "gemini-2.5-pro", True),
        (
            "gpt-5-mini@http://127.0.0.1:8000/v1",
            "gpt-5-mini",
            False,
        ),  # whatever a local server calls itself
        ("vllm:gpt-5-mini", "gpt-5-mini", False),
        ("openai:no-such-model", "no-such-model", False),
        ("nowhere:gpt-5-mini", "gpt-5-mini", False),
        ("gpt-5-mini", "gpt-5-mini", False),
    ],
)
def test_prices_are_listed_or_unknown(identity: str, model: str, known: bool) -> None:
    price = listed_price(identity, model)
    assert (price is not None) == known
    if price is not None:
        assert 0 < price.input < price.output < 1000
        assert price.cached is not None
        assert price.cached < price.input


def test_looking_up_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a price was looked for on the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert listed_price("openai:gpt-5-mini", "gpt-5-mini") is not None
    assert listed_price("openai:no-such-model", "no-such-model") is None


def test_a_given_price_goes_before_the_list() -> None:
    endpoint = TinyChat(model="gpt-5-mini", identity="openai:gpt-5-mini")
    assert Prices("3/4").of(endpoint) == Price(3.0, 4.0)
    assert Prices("0/0").of(TinyChat()) == Price(0.0, 0.0)
    assert Prices().of(TinyChat()) is None
    listed = Prices().of(endpoint)
    assert listed is not None
    assert listed != Price(3.0, 4.0)


@pytest.mark.parametrize("text", ["", "3", "3/", "-1/2", "a/b", "1/2/3", "1e3/2"])
def test_a_malformed_price_is_refused(text: str) -> None:
    with pytest.raises(BudgetError, match=r"0\.25/2"):
        Price.parse(text)


def test_cached_tokens_cost_their_own_price() -> None:
    assert Price(2.0, 10.0).usd(1_000_000, 100_000, 500_000) == pytest.approx(3.0)
    assert Price(2.0, 10.0, 0.2).usd(1_000_000, 100_000, 500_000) == pytest.approx(2.1)
    assert Price(2.0, 10.0, 0.2).usd(10, 0, 99) == pytest.approx(2e-6)


def test_the_list_is_not_loaded_until_a_price_is_wanted() -> None:
    code = "import sys, glossator.agents.llm_calls.call_room; sys.exit('genai_prices' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
