"""What is kept: the ledger is the truth, the findings index is derived from it."""
