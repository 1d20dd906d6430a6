"""What a feature should cause by its direction alone: the output tokens that the unembedding promotes."""

from __future__ import annotations

from glossator.probes.token_effects import TokenEffects
from glossator.records import Explanation, ExplanationMethod, FeatureRef, TokenIn

AUTHOR = "unembedding/1"
_SHOWN = 5


def promoted_explanation(feature: FeatureRef, effects: TokenEffects) -> Explanation | None:
    """An explanation from the promoted tokens; None where there are none. Nothing is run for it."""
    tokens = tuple(dict.fromkeys(e.token for e in effects.promoted if e.token.strip()))
    if not tokens:
        return None
    named = ", ".join(f'"{t.strip()}"' for t in tokens[:_SHOWN])
    return Explanation.of(
        feature,
        AUTHOR,
        f"makes {named} more likely, by the unembedding"[:300],
        TokenIn(tokens=tokens),
        method=ExplanationMethod.EFFECTS,
    )
