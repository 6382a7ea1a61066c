"""A learner's own random state, lent to libraries that draw from global generators."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from nas_core.seeding import derived_seed


class OwnRandomness:
    """States of Python's, NumPy's and torch's global generators that belong to one learner.

    Stable-Baselines3 draws from all three. Inside `lent` they are this learner's; outside they are
    as if it had never run. So learners do not disturb each other or the caller, and their draws
    can be saved and continued.
    """

    def __init__(self, seed: int) -> None:
        """Derive the three states from a seed, at least 0."""
        import torch

        own = torch.Generator().manual_seed(derived_seed(seed, "torch"))
        legacy = np.random.RandomState(derived_seed(seed, "numpy"))
        self._states = (
            random.Random(derived_seed(seed, "python")).getstate(),  # noqa: S311
            legacy.get_state(legacy=False),
            own.get_state(),
        )

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Put the global generators into this learner's states; afterwards put them back.

        Torch runs on one thread meanwhile: for these small networks more cost more than they save.
        """
        import torch

        outer, threads = _current(), torch.get_num_threads()
        _put(self._states)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            self._states = _current()
            _put(outer)
            torch.set_num_threads(threads)

    def state(self) -> dict[str, Any]:
        """Return the states as JSON values."""
        python, numpy, torch_state = self._states
        inner = numpy["state"]
        return {
            "python": [python[0], list(python[1]), python[2]],
            "numpy": {**numpy, "state": {"key": inner["key"].tolist(), "pos": inner["pos"]}},
            "torch": bytes(torch_state.tolist()).hex(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from where `state` was taken."""
        import torch

        version, words, gauss = state["python"]
        inner = state["numpy"]["state"]
        key = np.array(inner["key"], np.uint32)
        self._states = (
            (version, tuple(words), gauss),
            {**state["numpy"], "state": {"key": key, "pos": inner["pos"]}},
            torch.tensor(list(bytes.fromhex(state["torch"])), dtype=torch.uint8),
        )


def _current() -> tuple[Any, Any, Any]:
    import torch

    return random.getstate(), np.random.get_state(legacy=False), torch.get_rng_state()


def _put(states: tuple[Any, Any, Any]) -> None:
    import torch

    random.setstate(states[0])
    np.random.set_state(states[1])
    torch.set_rng_state(states[2])
