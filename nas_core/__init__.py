"""The shared machine of the architecture search: specs, costs, spaces, trainers, runs.

import nas_core
result = nas_core.search("metaqnn", "leaves", trials=24, workers=2)
print(result.summary["best"])
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nas_core.api import SearchResult, resume, search
    from nas_core.verification import verify

__all__ = ["SearchResult", "resume", "search", "verify"]


def __getattr__(name: str) -> Any:
    """Import the public functions when they are first used, not before (`nas --help`)."""
    if name == "verify":
        from nas_core.verification import verify

        return verify
    if name in __all__:
        from nas_core import api

        return getattr(api, name)
    raise AttributeError(f"module 'nas_core' has no attribute {name!r}")
