"""What a labelling run came to, computed from its ledger: in one pass over the cards, nothing drawn."""

from glossator.run_report.building import build_run_report
from glossator.run_report.earlier_run import EarlierRun

__all__ = ["EarlierRun", "build_run_report"]
