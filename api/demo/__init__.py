"""A bureau to try things on: invented people, the size and totals that a news report gave.

Owns the demonstration. Invariant: it enters through the same door as everyone, and shows only what
the ledger answers.
"""

from api.demo.bureau import Size
from api.demo.show import run

__all__ = ["Size", "run"]
