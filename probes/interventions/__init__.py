"""Changing what stands at a site while the subject runs: steering, clamping, ablating, patching."""
