"""The parts of ``benchmarks/run.py``. Real nodes are started by the tests' package ``world``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
