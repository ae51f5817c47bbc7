"""A part of the comparison with kubectl; ``kubeconfig_differential`` says how all of it is run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends.kubernetes.kubeconfig_differential import SEED, Comparison

if TYPE_CHECKING:
    import pytest

_NUMBER = 60


def test_kubectl_sends_the_same_for_random_kubeconfigs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "")  # so that what is set meanwhile is taken back
    with Comparison() as comparison:
        differences = comparison.run(_NUMBER, SEED)
    assert differences.found == []
    assert _NUMBER // 3 < differences.accepted < differences.compared
