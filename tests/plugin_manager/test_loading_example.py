"""The example distribution is a plugin like any other, and its own tests hold."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from world.installed_plugins import InstalledPlugins

_EXAMPLE = Path(__file__).parents[2] / "examples" / "third_party_backend"


def test_the_examples_own_tests_pass_with_the_installed_plugin(plugins: InstalledPlugins) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=_EXAMPLE,
        env=plugins.environment(PYTHONDONTWRITEBYTECODE="1"),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout


def test_the_readme_lists_the_settings_that_there_are(plugins: InstalledPlugins) -> None:
    printed = plugins.python("""
        from erlconnect.configuration.settings import setting_fields
        from erlconnect_nomad import NomadSettings
        for key, field in setting_fields(NomadSettings).items():
            print(key, field.description.partition(":")[0].rstrip("."), sep="|")
    """)
    readme = (_EXAMPLE / "README.md").read_text()
    rows = [line for line in readme.splitlines() if line.startswith("| `")]
    described = printed.splitlines()
    assert len(rows) == len(described)
    for row, setting in zip(rows, described, strict=True):
        key, description = setting.split("|")
        assert row.startswith(f"| `{key}` |")
        assert description in row
