"""Ways into Consul's mesh next to each other. The mesh is started by the tests' own packages."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
