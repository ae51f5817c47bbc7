"""``kubernetes-port-forward`` next to ``kubectl port-forward``, on the tests' double of the API."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2] / "tests"), str(Path(__file__).parents[1])]
