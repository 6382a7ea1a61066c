"""What a brain sees and does, as JSON values: two brains fit together if these are equal."""

from typing import TYPE_CHECKING, Any

import numpy as np

from nas_core.errors import RunError, UsageError
from training_control.controls import CONTROLS, ControlSet
from training_control.observations import FEATURES

if TYPE_CHECKING:
    import gymnasium as gym

FORMS = ("moves", "flat", "continuous")


def control_schema(controls: ControlSet) -> dict[str, Any]:
    """Return the schema of an agent that turns `controls` and sees `FEATURES`."""
    form = "continuous" if controls.continuous else "flat" if controls.flat else "moves"
    moves = {name: list(CONTROLS[name].moves) for name in controls.names}
    return {"observation": list(FEATURES), "actions": moves, "form": form}


def controls_of(schema: dict[str, Any]) -> ControlSet:
    """Return the controls that a brain turns.

    Raises:
        RunError: The schema is not one of training control as this version knows it.
    """
    try:
        form = schema["form"]
        controls = ControlSet(tuple(schema["actions"]), form == "continuous", form == "flat")
        fits = control_schema(controls) == schema
    except (KeyError, TypeError, UsageError):
        fits = False
    if not fits:
        raise RunError(
            f"expected a brain that sees the {len(FEATURES)} features of a training and turns "
            "controls of this version, received one with another schema: use brain='default', or "
            "train one with `nas control train`"
        )
    return controls


def schema_of(env: "gym.Env[Any, Any]") -> dict[str, Any]:
    """Return an environment's schema.

    Args:
        env: A `ControlSet` in its attribute `controls`, or values in its attribute `schema`, name
            features and moves; else the shapes of its spaces are all there is.
    """
    controls = getattr(env.unwrapped, "controls", None)
    if isinstance(controls, ControlSet):
        return control_schema(controls)
    named = getattr(env.unwrapped, "schema", None)
    if isinstance(named, dict):
        return named
    return {
        "observation": list(env.observation_space.shape or ()),
        "actions": _shape(env.action_space),
    }


def _shape(space: "gym.Space[Any]") -> list[int] | str:
    import gymnasium as gym

    if isinstance(space, gym.spaces.Discrete):
        return [int(space.n)]
    if isinstance(space, gym.spaces.MultiDiscrete):
        return [int(n) for n in np.ravel(space.nvec)]
    return repr(space)
