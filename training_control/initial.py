"""New initial weights for a model that is built and traced."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from nas_core.seeding import derived_seed
from training_control.layers import LiveStack

SEED_STATE = "seed_generator_state"
OTHER_NAMES = {"recurrent_kernel": "recurrent_initializer"}


class InitialWeights:
    """Draws a model's weights anew, by the initialisers that its layers were built with."""

    def __init__(self, model: keras.Model, pretrained: Sequence[str] = ()) -> None:
        """Remember how each variable starts.

        Args:
            model: Built.
            pretrained: Names of layers, whole models among them, whose weights start as they are.
        """
        kept = {
            id(variable)
            for layer in model._flatten_layers()
            if layer.name in pretrained
            for variable in layer.variables
        }
        drawn: dict[int, Any] = {}
        for layer in model._flatten_layers():
            if isinstance(layer, LiveStack):  # the session restarts it
                continue
            for variable in layer._trainable_variables:
                initialiser = _initialiser(layer, variable.name)
                if initialiser is not None and id(variable) not in kept:
                    drawn[id(variable)] = initialiser
        self._drawn = [(v, drawn[id(v)]) for v in model.variables if id(v) in drawn]
        others = [v for v in model.variables if id(v) not in drawn]
        self._seeds = [v for v in others if v.name == SEED_STATE]
        self._fixed = [
            (v, np.copy(keras.ops.convert_to_numpy(v))) for v in others if v.name != SEED_STATE
        ]

    def draw(self, seed: int) -> None:
        """Set all variables: drawn for `seed`, or as they were when this was made."""
        for number, (variable, initialiser) in enumerate(self._drawn):
            config = {
                **initialiser.get_config(),
                "seed": derived_seed(seed, "initial weights", number),
            }
            fresh = type(initialiser).from_config(config)
            variable.assign(fresh(tuple(variable.shape), dtype=variable.dtype))
        for number, variable in enumerate(self._seeds):
            state = np.array([derived_seed(seed, "noise", number), 0])
            variable.assign(state.astype(variable.dtype))
        for variable, value in self._fixed:
            variable.assign(value)


def _initialiser(layer: Any, name: str) -> Any:
    """Return the random initialiser of a layer's variable; None for constants and unknown ones."""
    found = getattr(layer, OTHER_NAMES.get(name, f"{name}_initializer"), None)
    if isinstance(found, keras.initializers.Initializer) and "seed" in found.get_config():
        return found
    return None
