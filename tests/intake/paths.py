"""Where the tests of intake find their files."""

from pathlib import Path

ROSTERS = Path(__file__).parents[1] / "data" / "rosters"
CHICAGO = Path(__file__).parents[3] / "shared" / "data" / "chicago"
