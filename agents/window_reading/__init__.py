"""A language model as reader: what it makes of windows, given a claim."""
