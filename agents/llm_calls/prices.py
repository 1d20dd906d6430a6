"""What tokens cost: given by the person, else from the genai-prices snapshot that is installed.

https://github.com/pydantic/genai-prices (its bundled data; nothing is fetched). A price that neither
knows is None, everywhere: it is said to be unknown, never taken for zero.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from glossator.agents.llm_calls.chat import ChatEndpoint
from glossator.errors import BudgetError

MILLION = 1_000_000
_PROBE_TOKENS = 1000
_OWN_MACHINES = frozenset({"vllm", "ollama"})
"""Providers whose models cost what their owner says."""
_URL = re.compile(r"https?://[^\s|,;]+")


class Price(NamedTuple):
    """US dollars per million tokens."""

    input: float
    output: float
    cached: float | None = None
    """For input tokens out of the provider's prefix cache; None where it is the input's price."""

    def usd(self, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> float:
        """US dollars for one call; `cached_tokens` are among `input_tokens`."""
        cheap = min(max(cached_tokens, 0), input_tokens) if self.cached is not None else 0
        paid = (input_tokens - cheap) * self.input + output_tokens * self.output
        return (paid + cheap * (self.cached or 0.0)) / MILLION

    @classmethod
    def parse(cls, text: str) -> Price:
        """Read `IN/OUT`, US dollars per million tokens; `0/0` is free. Raises `BudgetError` otherwise."""
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*/\s*(\d+(?:\.\d+)?)\s*", text)
        if match is None:
            raise BudgetError(
                f"price {text!r} cannot be read: give US dollars per million input and output tokens, "
                "such as 0.25/2"
            )
        return cls(float(match[1]), float(match[2]))


class Prices:
    """Prices of endpoints, each looked up once."""

    def __init__(self, given: Price | str | None = None) -> None:
        self._given = Price.parse(given) if isinstance(given, str) else given
        self._known: dict[str, Price | None] = {}

    def of(self, endpoint: ChatEndpoint) -> Price | None:
        """The price of `endpoint`'s model; None where it is unknown."""
        if self._given is not None:
            return self._given
        identity = endpoint.identity
        if identity not in self._known:
            self._known[identity] = listed_price(identity, endpoint.model)
        return self._known[identity]


def listed_price(identity: str, model: str) -> Price | None:
    """The price in the installed list for `model` at the provider that `identity` names.

    An endpoint that is known by URL alone has a price only if the URL is a listed provider's: a local
    server that happens to serve a model of a known name costs what its owner says. Prices that rise
    with the prompt's length are taken at their first step, which holds up to 100,000 tokens and more.
    """
    from genai_prices import Usage, calc_price

    url = _URL.search(identity)
    provider = re.match(r"([A-Za-z0-9_.-]+):", identity)
    by_url = url is not None and urlsplit(url[0]).hostname is not None
    if not by_url and (provider is None or provider[1].lower() in _OWN_MACHINES):
        return None

    def dollars(usage: Usage) -> tuple[float, float]:
        if by_url and url is not None:
            found = calc_price(usage, model, provider_api_url=url[0])
        else:
            assert provider is not None, "checked above"
            found = calc_price(usage, model, provider_id=provider[1].lower())
        scale = MILLION / _PROBE_TOKENS
        return float(found.input_price) * scale, float(found.output_price) * scale

    try:
        fresh = dollars(Usage(input_tokens=_PROBE_TOKENS, output_tokens=_PROBE_TOKENS))
        cached = dollars(Usage(input_tokens=_PROBE_TOKENS, cache_read_tokens=_PROBE_TOKENS))
    except LookupError:
        return None
    return Price(*fresh, cached=cached[0])
