"""Which cluster and namespace are meant; the settings that everything which asks it has.

Refuses to read a kubeconfig; ``client`` does.
"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads it

from pydantic import Field

from erlconnect.api import Settings


class AccessSettings(Settings):
    """The settings that say whom to ask."""

    context: str = Field(
        default="", description="The context of the kubeconfig; its current one if empty."
    )
    namespace: str = Field(
        default="", description="The namespace; the context's own if empty, else default."
    )
    kubeconfig: Path | None = Field(
        default=None,
        description="The kubeconfig file; without it KUBECONFIG, ~/.kube/config, or the service"
        " account of the pod that this runs in.",
    )

    def access_settings(self) -> dict[str, object]:
        """Give those of the above that were set, for a ``Ref`` to an offer that has them too."""
        return self.model_dump(include=set(AccessSettings.model_fields), exclude_defaults=True)
