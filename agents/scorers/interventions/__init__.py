"""Scorers that intervene: whether turning a feature up does what an explanation says, on sealed prompts."""
