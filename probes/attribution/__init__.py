"""Where a feature's activation comes from and what it adds to the output: exact, without gradients."""
