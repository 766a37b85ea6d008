"""Old workbooks and histories in: reading, mapping, checking, one batch.

Owns nothing itself: this is the door. Invariant: nothing is entered that a plan did not show.
"""

from api.intake.batches import Batch, Dependent, Undoing, all_batches, plan_undo, undo
from api.intake.checking import Fault, Reason
from api.intake.guessing import Guess, Proposal, propose
from api.intake.importer import Importer, Progress, Report
from api.intake.mapping import Mapping, load_mapping, names, parse_mapping
from api.intake.matching import STANDINGS, Line
from api.intake.monthly import Ways
from api.intake.plan import FileCount, Given, Plan
from api.intake.readback import reading_back
from api.intake.rejects import write_rejected
from api.intake.shelf import Told
from api.intake.template import mapping_of, template_type, write_template
from api.intake.toml import to_toml

__all__ = [
    "STANDINGS",
    "Batch",
    "Dependent",
    "Fault",
    "FileCount",
    "Given",
    "Guess",
    "Importer",
    "Line",
    "Mapping",
    "Plan",
    "Progress",
    "Proposal",
    "Reason",
    "Report",
    "Told",
    "Undoing",
    "Ways",
    "all_batches",
    "load_mapping",
    "mapping_of",
    "names",
    "parse_mapping",
    "plan_undo",
    "propose",
    "reading_back",
    "template_type",
    "to_toml",
    "undo",
    "write_rejected",
    "write_template",
]
