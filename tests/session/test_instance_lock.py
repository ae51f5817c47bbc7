"""The number of a session among this user's running ones."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from erlconnect.errors import ConfigurationError
from erlconnect.session.instance_lock import instance_lock, running_instances

HOLD = """
import os
from erlconnect.session.instance_lock import instance_lock
with instance_lock(os.environ) as slot:
    print(slot.number, flush=True)
    input()
"""


def test_two_sessions_have_two_slots_and_leave_nothing(tmp_path: Path) -> None:
    environment = {"XDG_RUNTIME_DIR": str(tmp_path)}
    with instance_lock(environment) as first, instance_lock(environment) as second:
        assert (first.number, second.number) == (0, 1)
    with instance_lock(environment) as again:
        assert again.number == 0
    assert list(tmp_path.iterdir()) == []


def test_a_killed_session_frees_its_slot(tmp_path: Path) -> None:
    environment = {"XDG_RUNTIME_DIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", HOLD],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "0\n"
        with instance_lock(environment) as beside:
            assert beside.number == 1
        holder.kill()
        holder.wait()
    with instance_lock(environment) as after:
        assert after.number == 0


@pytest.mark.parametrize("base", ["", "/nowhere", "another user's"])
def test_a_runtime_folder_that_is_missing_or_another_user_s(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The temporary files do as well."""
    if base == "another user's":
        base = str(foreign_folder(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with instance_lock({"XDG_RUNTIME_DIR": base}) as slot:
        assert slot.number == 0
        assert (tmp_path / f"erlconnect-{os.getuid()}" / "session-0.lock").exists()


def foreign_folder(tmp_path: Path) -> Path:
    if os.geteuid():
        return Path("/")
    folder = tmp_path / "foreign"
    folder.mkdir()
    os.chown(folder, 65534, -1)
    return folder


def test_no_folder_for_locks_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    with pytest.raises(ConfigurationError, match="/nowhere") as caught, instance_lock({}):
        pass
    assert "TMPDIR" in caught.value.remedy


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "erlconnect").symlink_to(tmp_path / "elsewhere")
    with (
        pytest.raises(ConfigurationError, match="somebody else"),
        instance_lock({"XDG_RUNTIME_DIR": str(tmp_path)}),
    ):
        pass


def test_the_folder_is_private_and_goes_with_the_session(tmp_path: Path) -> None:
    environment = {"XDG_RUNTIME_DIR": str(tmp_path)}
    with instance_lock(environment) as slot:
        assert slot.folder.stat().st_mode & 0o777 == 0o700
        (slot.folder / "anything").write_text("of this session")
        assert list(running_instances(environment)) == [(os.getpid(), slot.folder)]
    assert list(running_instances(environment)) == []
    assert list(tmp_path.iterdir()) == []


def test_what_crashed_sessions_left_is_removed_and_nobody_elses(tmp_path: Path) -> None:
    environment = {"XDG_RUNTIME_DIR": str(tmp_path)}
    with instance_lock(environment) as running:
        crashed = tmp_path / "erlconnect" / "session-7"
        crashed.mkdir()
        (crashed / "home").mkdir()
        (crashed / "home" / ".erlang.cookie").write_text("left")
        crashed.with_name("session-7.lock").write_text("1\n")
        (running.folder / "mine").write_text("kept")
        with instance_lock(environment):
            assert not crashed.exists()
            assert not crashed.with_name("session-7.lock").exists()
            assert (running.folder / "mine").exists()
    assert list(tmp_path.iterdir()) == []
