"""A PATH on which kubectl is one of those that the tests unpacked, or none at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from world.kubernetes.kubectl import Kubectl

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def kubectl_on_path(suite: str = "sid") -> Iterator[str]:
    """Put this version before everything else."""
    with tempfile.TemporaryDirectory() as folder, Kubectl(suite, Path(folder)) as kubectl:
        (Path(folder) / "kubectl").symlink_to(kubectl.program)
        yield f"{folder}{os.pathsep}{os.environ['PATH']}"


def without_kubectl() -> str:
    """Leave out the folders that have one."""
    folders = os.environ["PATH"].split(os.pathsep)
    return os.pathsep.join(each for each in folders if not (Path(each) / "kubectl").exists())
