"""Who decides: the embedded analyst, the scorers, the verdict and the labelling of many features."""
