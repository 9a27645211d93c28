"""The report of a run: one HTML file with everything inline, and the sheet that compares models."""

from __future__ import annotations

from ganvas.report.html import write_report as write_report
from ganvas.report.sheets import Comparison as Comparison
from ganvas.report.sheets import side_by_side as side_by_side
