"""An agent that finds out what a function does from inputs and outputs alone, its baselines, and its judge."""
