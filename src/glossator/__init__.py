"""Glossator finds out what the features inside a neural network mean, with evidence.

Nothing heavy is imported here: `glossator --help` must answer at once.
"""

__version__ = "0.1.0"
