"""Finds out what one feature means: hypotheses, experiments that could refute them, a verdict by rule."""
