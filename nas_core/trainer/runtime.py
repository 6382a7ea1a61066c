"""Settings of TensorFlow that a child makes before its first operation."""

from functools import cache
from pathlib import Path

import keras

from nas_core.spec import CellSpec, ChainSpec, SepConv, Spec


def prepare_runtime(threads: int) -> None:
    """Limit threads, let GPU memory grow, switch the graph optimizer off.

    TensorFlow takes the first two only before its first operation: in a process that has run
    one already (the inline executor's), they stay as they are. Grappler costs a short child more
    time than it saves.
    """
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError:  # the context exists already
        return
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": not has_gpu()})


def has_gpu() -> bool:
    """Return whether Keras computes on a GPU."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


@cache
def multiplies_bfloat16() -> bool:
    """Return whether this processor multiplies bfloat16 natively (AVX-512 BF16 or AMX)."""
    try:
        flags = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def precision_for(spec: Spec, wanted: str) -> str:
    """Return the precision of a network: float32 or mixed_bfloat16.

    Depthwise convolutions have no fast bfloat16 kernel on processors and become slower.
    """
    if wanted != "auto":
        return wanted
    separable = isinstance(spec, CellSpec) or (
        isinstance(spec, ChainSpec) and any(isinstance(layer, SepConv) for layer in spec.layers)
    )
    native = multiplies_bfloat16() or has_gpu()
    return "mixed_bfloat16" if native and not separable else "float32"
