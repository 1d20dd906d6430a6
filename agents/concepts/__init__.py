"""Concepts: texts that have one, features that separate them, and linear probes beside those features."""
