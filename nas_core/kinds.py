"""What depends on the kind of data, images or texts: here and in the data sets, nowhere else."""

from dataclasses import dataclass

from nas_core.errors import UsageError
from nas_core.spec import ChainSpec, Spec
from nas_core.trainer.recipe import FINAL, Recipe


@dataclass(frozen=True)
class DataKind:
    """One kind of data.

    Attributes:
        name: As data sets and spaces say it: "image" or "text".
        mock_shape: Shape of the examples that the mock pretends to see.
        mock_classes: Their classes.
        mock_words: Their vocabulary; None for images.
        final: How the best architectures are retrained.
        hand_made: What a person would write down without a search, in `ChainSpec`'s notation;
            classes and words follow the data.
    """

    name: str
    mock_shape: tuple[int, int, int]
    mock_classes: int
    mock_words: int | None
    final: Recipe
    hand_made: str


# The leaves at the quick recipe's size; three stages, doubling filters, dropout.
IMAGE = DataKind(
    name="image",
    mock_shape=(32, 32, 3),
    mock_classes=10,
    mock_words=None,
    final=FINAL,
    hand_made="[C(32,3,1), P(2,2), C(64,3,1), P(2,2), C(128,3,1), P(2,2), D(0.3), FC(128), "
    "D(0.3), SM(2)]",
)
# Sentences; averaged word windows. Embeddings overfit within a few epochs: the best one is kept.
TEXT = DataKind(
    name="text",
    mock_shape=(48, 1, 1),
    mock_classes=2,
    mock_words=8000,
    final=FINAL.changed(
        {
            "epochs": 8,
            "batch_size": 64,
            "image_size": None,
            "augmentation": "none",
            "precision": "float32",
            "restarts": 0,
            "initialiser": "glorot_uniform",
        }
    ),
    hand_made="[E(8000,64), D(0.3), C(128,3x1,1), GAP, D(0.3), SM(2)]",
)
KINDS = {kind.name: kind for kind in (IMAGE, TEXT)}


def kind_of(spec: Spec) -> str:
    """Return the kind of data that an architecture reads."""
    return TEXT.name if isinstance(spec, ChainSpec) and spec.reads_text else IMAGE.name


def check_kind(wanted: str, received: str, data: str) -> None:
    """Refuse images where texts are wanted, and texts where images are.

    Args:
        wanted: Kind that the space or architecture is for.
        received: Kind of the data set.
        data: The data set's name.

    Raises:
        UsageError: The kinds differ.
    """
    if wanted != received:
        raise UsageError(
            f"expected a data set of {wanted}s, received {data}, which holds {received}s: name "
            f"another with --data, or choose a space for {received}s"
        )


def check_recipe(kind: str, recipe: Recipe) -> None:
    """Refuse a recipe that changes texts as if they were pictures.

    Raises:
        UsageError: Texts, and an image size or augmentation.
    """
    if kind == TEXT.name and (recipe.image_size is not None or recipe.augmentation != "none"):
        raise UsageError(
            "expected no image_size and augmentation 'none' in a recipe for texts, received "
            f"{recipe.image_size} and {recipe.augmentation!r}: leave them out"
        )
