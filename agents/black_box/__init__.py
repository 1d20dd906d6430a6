"""An agent that finds out what a function does by its inputs and outputs; its baselines and its judge."""
