"""The embedded analyst: labels features from statistics alone, without an LLM, and abstains honestly."""
