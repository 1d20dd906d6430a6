"""What interventions and sealed text say of a claim: intervention scores, the stress grade, and the checks of
a label's meaning."""
