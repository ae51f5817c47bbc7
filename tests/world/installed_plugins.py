"""Third-party plugins that are really built and installed, good ones and bad ones.

``installed_plugins()`` builds the example distribution of this project and several made-up ones
with pip, once in a test run, into a folder that is gone when the run ends. A subprocess with
``environment()`` has them next to erlconnect.
"""

from __future__ import annotations

import atexit
import functools
import os
import subprocess
import sys
import tempfile
import textwrap
from dataclasses import dataclass
from pathlib import Path

_PROJECT = Path(__file__).parents[2]
_EXAMPLE = _PROJECT / "examples" / "third_party_backend"
_OFFER = """
from erlconnect.api import NodeName, Offer, Settings, Target, hookimpl

class Found:
    def __init__(self, settings):
        self.settings = settings
    async def discover(self, query, session):
        node = NodeName(name=query.service, host="127.0.0.1")
        return [Target(node=node, address="127.0.0.1")]
    async def fetch(self, target):
        return None
    def open(self, target):
        raise NotImplementedError

def offer(name, **changes):
    what = dict(name=name, summary="From " + __name__, settings=Settings, create=Found)
    return Offer(**{**what, **changes})
"""
_ODD_MODULES = {
    "rubbish": """
        @hookimpl
        def erlconnect_backends():
            return ["nonsense"]
    """,
    "generator": """
        @hookimpl
        def erlconnect_backends():
            yield offer("generator")
    """,
    "asynchronous": """
        @hookimpl
        async def erlconnect_backends():
            return [offer("asynchronous")]
    """,
    "wrapping": """
        @hookimpl(wrapper=True)
        def erlconnect_cookie_sources():
            return (yield)
    """,
    "misnamed": """
        @hookimpl
        def erlconnect_backends():
            return [offer("dns")]
    """,
    "untyped": """
        @hookimpl
        def erlconnect_backends():
            return [offer("untyped", settings=dict)]
    """,
    "greedy": """
        class Greedy(Settings):
            dist_port: int = 1
        @hookimpl
        def erlconnect_backends():
            return [offer("greedy", settings=Greedy)]
    """,
    "secretive": """
        from pydantic import SecretStr, field_validator
        class Secretive(Settings):
            password: SecretStr
            region: str = ""
            @field_validator("password")
            @classmethod
            def long_enough(cls, value):
                if len(value.get_secret_value()) < 6:
                    raise ValueError(value.get_secret_value() + " is too short")
                return value
        @hookimpl
        def erlconnect_backends():
            return [offer("secretive", settings=Secretive)]
    """,
    "nameless": """
        class Nameless(Settings):
            name: str = ""
        @hookimpl
        def erlconnect_transports():
            return [offer("nameless", settings=Nameless)]
    """,
    "needy": """
        @hookimpl
        def erlconnect_backends():
            return [offer("needy", needs=("json", "no_such_library"), install="pip install needy")]
    """,
    "creating": """
        def create(settings):
            raise LookupError("no creation today")
        @hookimpl
        def erlconnect_backends():
            return [offer("creating", create=create)]
        @hookimpl
        def erlconnect_cookie_sources():
            return [offer("creating", create=create)]
        @hookimpl
        def erlconnect_transports():
            return [offer("creating", create=lambda settings: object())]
    """,
    "quitting": """
        raise SystemExit(3)
    """,
    "newer": """
        ERLCONNECT_HOOKSPEC_VERSION = 99
    """,
    "strange": """
        @hookimpl
        def erlconnect_spells():
            return []
    """,
    "misspelled": """
        @hookimpl
        def erlconnect_link_event(evnet):
            pass
    """,
    "empty": "",
    "slow": """
        import time
        time.sleep(2.2)
        @hookimpl
        def erlconnect_backends():
            return [offer("slow")]
    """,
    "observing": """
        @hookimpl
        def erlconnect_link_event(event):
            print("observed", event.kind, event.alias, flush=True)
    """,
    "stumbling": """
        @hookimpl
        def erlconnect_link_event(event):
            raise ValueError("stumbled over " + event.alias)
    """,
}
# Distribution -> entry points -> the text of the module that each names.
_MADE_UP = {
    "erlconnect-lantern": {
        "lantern": """
            class LanternSettings(Settings):
                argument = "wick"
                wick: str = "cotton"
            @hookimpl
            def erlconnect_backends():
                return [offer("lantern", settings=LanternSettings)]
            @hookimpl
            def erlconnect_cookie_sources():
                return [offer("lantern")]
        """
    },
    "erlconnect-broken": {"broken": "import no_such_library_at_all"},
    "erlconnect-raising": {
        "raising": """
            @hookimpl
            def erlconnect_backends():
                raise RuntimeError("the hook fell over")
        """
    },
    "erlconnect-impostor": {
        "dns": """
            print("the impostor was imported")
            @hookimpl
            def erlconnect_backends():
                return [offer("dns")]
        """
    },
    "twin-red": {
        "twin": """
            @hookimpl
            def erlconnect_backends():
                return [offer("twin", summary="red")]
        """
    },
    "twin-blue": {
        "twin": """
            @hookimpl
            def erlconnect_backends():
                return [offer("twin", summary="blue")]
        """
    },
    "erlconnect-oddities": _ODD_MODULES,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledPlugins:
    """A folder like ``site-packages`` with third-party plugins in it."""

    folder: Path

    def environment(self, **changes: str) -> dict[str, str]:
        """Return an environment in which Python finds the plugins."""
        return {**os.environ, "PYTHONPATH": str(self.folder), **changes}

    def python(self, code: str, **changes: str) -> str:
        """Run ``code`` next to the plugins and give what it printed; an exit code is an error."""
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            env=self.environment(**changes),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@functools.cache
def installed_plugins() -> InstalledPlugins:
    """Build and install all plugins of this module, once in a test run."""
    holder = tempfile.TemporaryDirectory(prefix="erlconnect-plugins-")
    atexit.register(holder.cleanup)
    folder = Path(holder.name)
    sources = [_write(folder / "sources" / name, name, _MADE_UP[name]) for name in _MADE_UP]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    offline = ["--no-index", "--no-deps", "--no-build-isolation"]
    place = ["--target", str(folder / "installed")]
    subprocess.run(
        [*pip, *offline, *place, str(_EXAMPLE), *map(str, sources)],
        check=True,
        capture_output=True,
        timeout=110,
    )
    return InstalledPlugins(folder=folder / "installed")


def _write(folder: Path, distribution: str, modules: dict[str, str]) -> Path:
    """Write the source of one distribution, each entry point a module of its own."""
    prefix = distribution.replace("-", "_")
    folder.mkdir(parents=True)
    for name, text in modules.items():
        content = f"{_OFFER}\n{textwrap.dedent(text)}"
        (folder / f"{prefix}_{name}.py").write_text(content)
    points = "\n".join(f'{name} = "{prefix}_{name}"' for name in modules)
    files = ", ".join(f'"{prefix}_{name}.py"' for name in modules)
    (folder / "pyproject.toml").write_text(
        f"""
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "{distribution}"
version = "1.0"
[project.entry-points.erlconnect]
{points}
[tool.hatch.build.targets.wheel]
only-include = [{files}]
"""
    )
    return folder
