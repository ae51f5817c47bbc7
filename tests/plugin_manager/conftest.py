from __future__ import annotations

import pytest
from world.installed_plugins import InstalledPlugins, installed_plugins


@pytest.fixture(scope="session")
def plugins() -> InstalledPlugins:
    return installed_plugins()
