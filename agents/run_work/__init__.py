"""Work on labelling runs: what one feature takes, and the worker that keeps many in work."""
