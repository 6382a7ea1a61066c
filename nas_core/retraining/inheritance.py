"""Which layers of the networks to be retrained can begin with a saved model's weights."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from nas_core.datasets import DatasetInfo
from nas_core.errors import SpecError, UsageError
from nas_core.files import sha256_file
from nas_core.retraining.candidates import Candidate, Inheritance
from nas_core.trainer.recipe import Recipe


def heirs(
    candidates: Sequence[Candidate],
    model: Path,
    info: DatasetInfo,
    recipe: Recipe,
    on_line: Callable[[str], None],
) -> list[Candidate]:
    """Return the candidates that can begin with the model's weights, with what they inherit.

    Every network is built here once, so that a foreign model is refused before any training.

    Args:
        candidates: Architectures to begin from scratch.
        model: A ``.keras`` file.
        info: The data set that they are trained on.
        recipe: How; it says the size of the images.
        on_line: Called with a line for each candidate that is left out.

    Raises:
        UsageError: The model cannot be read, or no candidate shares a layer with it.
    """
    from nas_core.evaluation import load_model

    source = load_model(model)  # before what else imports Keras: this is the quiet way
    from nas_core.trainer.build import build_model
    from nas_core.trainer.data_pipeline import trained_shape
    from nas_core.trainer.inherit import inherit

    shape, digest = trained_shape(info.image_shape, recipe.image_size), sha256_file(model)
    found, left_out = [], []
    for candidate in candidates:
        try:
            copied, fresh = inherit(source, build_model(candidate.spec, shape))
        except SpecError as error:
            left_out.append(f"not fine-tuned: {error}")
            continue
        if copied:
            inherited = Inheritance(model, digest, tuple(copied), tuple(fresh))
            found.append(replace(candidate, inherited=inherited))
        else:
            line = f"not fine-tuned: no layer of {model} fits {candidate.spec.to_text()}"
            left_out.append(line)
    if not found:
        raise UsageError(
            f"expected a model that shares a layer (same name, same shapes) with what is "
            f"retrained, {model} shares none: name a model of this run's kind and filters"
        )
    for line in left_out:
        on_line(line)
    return found
