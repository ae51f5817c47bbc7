"""``--via`` with ``ssh -W`` next to a plain ``ssh -L``; the tests' packages start what is real."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2] / "tests"), str(Path(__file__).parents[1])]
