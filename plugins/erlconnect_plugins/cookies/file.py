"""Cookie source ``file``: a cookie file of this machine, read as Erlang reads its own.

This file says which file is read; ``erlconnect.cookie_file`` reads it.
"""

from __future__ import annotations

import asyncio
from pathlib import Path  # noqa: TC003 - pydantic reads annotations at run time
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from erlconnect.api import Cookie, Offer, Settings, default_cookie_file, hookimpl, read_cookie_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.api import Target


class FileSettings(Settings):
    """Settings of ``file``."""

    argument: ClassVar[str | None] = "path"

    path: Path | None = Field(
        default=None,
        description="The cookie file; without it `~/.erlang.cookie`, looked for as erl does.",
    )


class FileCookieSource:
    """Reads one cookie file, always afresh."""

    def __init__(self, settings: FileSettings) -> None:
        self._path = settings.path

    async def fetch(self, target: Target) -> Cookie | None:
        """Return the file's cookie; ``None`` where nobody named a file and Erlang has made none.

        Raises ``CookieNotFoundError`` where a named file is missing, or the file is empty, and
        ``ConfigurationError`` where others can read it or it holds something else.
        """
        del target  # one file for all of them
        return await asyncio.to_thread(self._read)

    def _read(self) -> Cookie | None:
        path = self._path or default_cookie_file()
        # Erlang makes its file at the first start of a node: on a new machine there is none.
        if self._path is None and not path.exists():
            return None
        return Cookie(read_cookie_file(path), origin=f"file {path}")


@hookimpl
def erlconnect_cookie_sources() -> Sequence[Offer]:
    """Offer ``file``."""
    return [
        Offer(
            name="file",
            summary="A cookie file of this machine, ~/.erlang.cookie by default",
            settings=FileSettings,
            create=FileCookieSource,
        )
    ]
