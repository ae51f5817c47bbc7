"""The build hook that generates the manual page and puts it into the wheel."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_TARGET = "share/man/man1/erlconnect.1"


class ManPageHook(BuildHookInterface):
    """Called by hatchling for a wheel; an editable installation has no page."""

    _folder: tempfile.TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the page to a temporary file, and add that to the wheel."""
        if version != "standard":
            return
        sys.path[:0] = [f"{self.root}/core", f"{self.root}/man"]
        # The page imports the command line, which is not installed where the wheel is built.
        from page import man_page  # noqa: PLC0415 - it needs the path

        self._folder = tempfile.TemporaryDirectory()
        file = Path(self._folder.name) / "erlconnect.1"
        file.write_text(man_page(self.metadata.version))
        build_data["shared_data"][str(file)] = _TARGET

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was made, once it is in the wheel."""
        del version, build_data, artifact_path
        if self._folder is not None:
            self._folder.cleanup()
