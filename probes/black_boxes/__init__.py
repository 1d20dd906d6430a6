"""Functions whose inside is known, for finding out whether an agent can find out: see `generate.py`.

FIND-style (the idea and the proportions follow https://arxiv.org/abs/2309.03886; functions, words and code
are our own). What a function does is a form of a closed language (`forms.py`), so the truth can be executed,
described and compared, and an answer is never code.
"""
