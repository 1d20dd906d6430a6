"""What earlier investigations learnt, put to use: recalled as priors and distractors, and contradicted."""
