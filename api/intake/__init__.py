"""Old workbooks and histories in: reading, mapping, checking, one batch.

Owns nothing itself: this is the door. Invariant: nothing is entered that a plan did not show.
"""

from api.intake.checking import Fault, Reason
from api.intake.importer import Importer, Progress, Report
from api.intake.mapping import Mapping, load_mapping, names, parse_mapping
from api.intake.planning import FileCount, Plan
from api.intake.rejects import write_rejected

__all__ = [
    "Fault",
    "FileCount",
    "Importer",
    "Mapping",
    "Plan",
    "Progress",
    "Reason",
    "Report",
    "load_mapping",
    "names",
    "parse_mapping",
    "write_rejected",
]
