"""What a labelling run came to, computed from its ledger: in one pass over the cards, nothing drawn."""

from glossator.run_report.building import build_run_report
from glossator.run_report.earlier_run import EarlierRun
from glossator.run_report.from_ledger import ledger_run_report

__all__ = ["EarlierRun", "build_run_report", "ledger_run_report"]
