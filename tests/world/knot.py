"""A real authoritative DNS server, knotd, on an own port of 127.0.0.1 (UDP and TCP).

Knows how knotd is configured and reloaded, and nothing of what the zones are for.
"""

from __future__ import annotations

import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

from world.missing import require
from world.ports import free_port
from world.processes import Process
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

_SERVER = """\
server:
    listen: 127.0.0.1@{port}
    rundir: {folder}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: {folder}/database
log:
  - target: stdout
    any: info
template:
  - id: default
    storage: {folder}
    zonefile-sync: -1
    journal-content: none
zone:
"""
_HEAD = """\
$ORIGIN {origin}
$TTL 5
@ SOA ns.invalid. admin.invalid. {serial} 60 60 60 5
@ NS ns.invalid.
"""


class KnotServer:
    """Serves ``zones`` (name -> records) when the constructor returns; ends as a context manager.

    SOA and NS are added to a zone that has no SOA; names in it are relative to the zone. A zone
    given as ``None`` answers SERVFAIL; names in no zone are REFUSED (serve ``"."`` to change that).
    """

    def __init__(
        self,
        zones: Mapping[str, str | None],
        *,
        port: int | None = None,
        inside: Sequence[str] = (),
    ) -> None:
        """``inside`` are the words before a command that put it into another network."""
        require("knotd", shutil.which("knotd") is not None)
        self.port = port or free_port()
        self._serial = 0
        self._folder = tempfile.TemporaryDirectory(prefix="knot-")
        for zone, text in zones.items():
            self._write(zone, text)
        configuration = Path(self._folder.name) / "knot.conf"
        configuration.write_text(self._configuration(zones))
        self._process = Process([*inside, "knotd", "-c", configuration])
        try:
            self._process.wait_for_line("server started in the foreground", 20)
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    def replace(self, zone: str, text: str) -> None:
        """Serve other records; new answers come from the moment that this returns."""
        loaded = f"[{_absolute(zone)}] loaded, serial"
        before = self._process.stdout.count(loaded)
        self._write(zone, text)
        self._process.signal(signal.SIGHUP)
        wait_until(lambda: self._process.stdout.count(loaded) > before, f"knotd loaded {zone}")

    def stop(self) -> None:
        """End knotd; later queries meet a closed port."""
        self._process.terminate()
        self._folder.cleanup()

    def _configuration(self, zones: Mapping[str, str | None]) -> str:
        head = _SERVER.format(port=self.port, folder=self._folder.name)
        return head + "".join(
            f"  - domain: {_absolute(zone)}\n    file: {self._file(zone)}\n" for zone in zones
        )

    def _write(self, zone: str, text: str | None) -> None:
        self._serial += 1
        if text is None:
            return
        head = "" if " SOA " in text else _HEAD.format(origin=_absolute(zone), serial=self._serial)
        self._file(zone).write_text(f"{head}{text}\n")

    def _file(self, zone: str) -> Path:
        return Path(self._folder.name) / f"{_absolute(zone)}zone"


def _absolute(zone: str) -> str:
    return zone.rstrip(".") + "."
