"""Reading `.keras` files that may be hostile: checked before Keras sees them.

Keras calls a saved model a program, and its safe mode has been got round more than once. So a file
is refused here unless its archive is plain, its configuration names nothing but known layers, and
its weights are plain arrays. No Keras is imported for that.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nas_core.datasets.archive import MAX_RATIO, SafeZip, open_zip
from nas_core.errors import DataError, UsageError
from nas_core.files import parse_json, read_json, sha256_file

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
LIMITS = {CONFIG: 16 << 20, METADATA: 1 << 16, WEIGHTS: 2 << 30}  # bytes once inflated
DEEPEST = 100
LARGEST_SIDE = 1 << 20  # units, filters, words, pixels: more would only fill the memory
MOST_ARRAYS = 100_000

_LAYERS = """
    Activation Add AlphaDropout Average AveragePooling1D AveragePooling2D BatchNormalization
    Bidirectional Concatenate Conv1D Conv2D Conv2DTranspose Cropping1D Cropping2D Dense
    DepthwiseConv1D DepthwiseConv2D Dot Dropout ELU Embedding Flatten GRU GRUCell GaussianDropout
    GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D GlobalMaxPooling1D
    GlobalMaxPooling2D GroupNormalization Identity InputLayer LSTM LSTMCell LayerNormalization
    LeakyReLU Masking MaxPooling1D MaxPooling2D Maximum Minimum MultiHeadAttention Multiply
    Normalization PReLU Permute ReLU RMSNormalization RepeatVector Rescaling Reshape Resizing
    SeparableConv1D SeparableConv2D SimpleRNN SimpleRNNCell Softmax SpatialDropout1D
    SpatialDropout2D Subtract TimeDistributed UnitNormalization UpSampling1D UpSampling2D
    ZeroPadding1D ZeroPadding2D
"""
_INITIALIZERS = """
    Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity LecunNormal LecunUniform Ones
    Orthogonal OrthogonalInitializer RandomNormal RandomUniform TruncatedNormal VarianceScaling
    Zeros
"""
_COMPILED = {
    "keras.optimizers": "Adadelta Adagrad Adam AdamW Adamax Lion LossScaleOptimizer Nadam RMSprop "
    "SGD",
    "keras.optimizers.schedules": "CosineDecay ExponentialDecay PiecewiseConstantDecay",
    "keras.losses": "BinaryCrossentropy CategoricalCrossentropy SparseCategoricalCrossentropy "
    "MeanSquaredError",
    "keras.metrics": "Accuracy CategoricalAccuracy SparseCategoricalAccuracy",
}
ALLOWED = {  # module -> class names
    "keras": frozenset({"DTypePolicy", "Functional", "Sequential", "Model"}),
    "keras.src.models.functional": frozenset({"Functional"}),
    "keras.src.models.sequential": frozenset({"Sequential"}),
    "keras.layers": frozenset(_LAYERS.split()),
    "keras.initializers": frozenset(_INITIALIZERS.split()),
    "keras.regularizers": frozenset({"L1", "L2", "L1L2"}),
    "keras.constraints": frozenset({"MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"}),
    "nas_core.trainer.drop_path": frozenset({"ScheduledDropPath"}),
    **{module: frozenset(names.split()) for module, names in _COMPILED.items()},
}
# What h5py says of a damaged file, too.
_UNREADABLE = (
    DataError, ValueError, OSError, RuntimeError, KeyError, TypeError, AttributeError,
    OverflowError, MemoryError,
)  # fmt: skip
_VALUES = frozenset({"__keras_tensor__", "__tensor__", "__numpy__", "__slice__"})  # no module
_SIDES = (
    "units", "filters", "input_dim", "output_dim", "height", "width", "kernel_size", "pool_size",
    "padding", "size", "target_shape", "batch_shape", "batch_input_shape", "strides",
    "depth_multiplier", "n", "num_heads", "key_dim", "value_dim",
)  # fmt: skip


def check_saved_model(path: Path) -> None:
    """Refuse a `.keras` file that is damaged or could do more than compute.

    Args:
        path: The file. Where the description that `nas retrain` writes lies beside it, the file
            has to be the one that was described.

    Raises:
        UsageError: In one line, why.
    """
    try:
        _check_described(path)
        with open_zip(path) as archive:
            for member in _members(archive):
                _check_member(archive, member)
    except _UNREADABLE as error:
        line = " ".join(str(error).split())[:300]
        raise UsageError(f"expected a model saved by Keras, cannot read {path} ({line})") from error


def _check_described(path: Path) -> None:
    described = path.with_suffix(".json")
    if not described.is_file():
        return
    try:
        value = read_json(described)
    except ValueError:
        return  # not of this model's making, or damaged itself: the file is judged by itself
    told = value.get("sha256") if isinstance(value, dict) else None
    if told is not None and told != sha256_file(path):
        raise ValueError(f"it has changed since {described.name} was written: retrain it")


def _members(archive: SafeZip) -> list[str]:
    names = sorted(archive.files)
    if names != sorted(LIMITS):
        raise ValueError(f"members {', '.join(names)[:100]}, not {', '.join(LIMITS)}")
    return names


def _check_member(archive: SafeZip, name: str) -> None:
    claimed = archive.files[name].file_size  # a false one is found out while reading
    data = None if claimed > LIMITS[name] else archive.read(name, LIMITS[name])
    if data is None:
        raise ValueError(f"{name} holds more than {LIMITS[name]} bytes")
    if name == WEIGHTS:
        _check_weights(data)
        return
    value = parse_json(data)
    if not isinstance(value, dict):
        raise ValueError(f"{name} is no object")
    if name == CONFIG:
        _check_config(value)


def _check_config(value: dict[str, Any]) -> None:
    """Refuse a configuration that names anything but known classes, or sizes beyond measure."""
    if "class_name" not in value:
        raise ValueError("a configuration without a class")
    for part in _objects(value):
        if "class_name" in part or "module" in part or "registered_name" in part:
            _check_class(part)
        for key in _SIDES:
            _check_side(key, part.get(key))


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object inside JSON values."""
    waiting = [(value, 0)]
    while waiting:
        part, depth = waiting.pop()
        if depth > DEEPEST:
            raise ValueError("nested too deeply")
        if isinstance(part, dict):
            yield part
            waiting += [(item, depth + 1) for item in part.values()]
        elif isinstance(part, list):
            waiting += [(item, depth + 1) for item in part]


def _check_class(part: dict[str, Any]) -> None:
    module, name = part.get("module"), part.get("class_name")
    registered = part.get("registered_name")
    known = name in _VALUES if module is None else name in ALLOWED.get(str(module), ())
    if not (isinstance(name, str) and known):
        raise ValueError(f"the class {str(module)[:60]}.{str(name)[:60]}, which is not on the list")
    if registered not in (None, name, f"nas_core>{name}"):
        raise ValueError(f"the registered name {str(registered)[:60]!r} for {name}")


def _check_side(key: str, value: Any) -> None:
    for side in value if isinstance(value, list) else [value]:
        if isinstance(side, list):
            _check_side(key, side)
        elif isinstance(side, int | float) and not abs(side) <= LARGEST_SIDE:
            raise ValueError(f"{key} of {str(side)[:30]}")


def _check_weights(data: bytes) -> None:
    """Refuse weights that are anything but plain arrays inside this file."""
    import h5py

    with h5py.File(io.BytesIO(data), "r") as file:
        seen: set[int] = set()
        waiting, claimed = [file], 0
        while waiting:
            group = waiting.pop()
            for name in group:
                item = _plain_item(h5py, group, name, seen)
                if isinstance(item, h5py.Group):
                    waiting.append(item)
                else:
                    claimed += item.size * item.dtype.itemsize
        if claimed > MAX_RATIO * len(data):
            raise ValueError(f"weights that inflate more than {MAX_RATIO} times")


def _plain_item(h5py: Any, group: Any, name: str, seen: set[int]) -> Any:
    """Return a group's member, if it is a group or an array of numbers that is met once."""
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"weights with a link ({name[:60]!r})")
    item = group[name]
    address = h5py.h5o.get_info(item.id).addr
    if address in seen or len(seen) >= MOST_ARRAYS:
        raise ValueError("weights that hold themselves, or too many arrays")
    seen.add(address)
    if isinstance(item, h5py.Group):
        return item
    if not isinstance(item, h5py.Dataset) or item.is_virtual or item.external:
        raise ValueError(f"weights outside the file ({name[:60]!r})")
    if item.dtype.kind not in "biufV":
        raise ValueError(f"weights that are no numbers ({name[:60]!r})")
    return item
