"""What must be settled before TensorFlow starts, and what the machine offers. No Keras at import.

Importing this module first makes TensorFlow use oneDNN's convolutions on every x86 processor: by
default it leaves them off where AVX512-VNNI is missing, and trains up to three times slower there.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

CPU_INFO = Path("/proc/cpuinfo")
BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}
BFLOAT16_GPU = (8, 0)  # compute capability from which bfloat16 is fast


@contextmanager
def quiet_start() -> Iterator[None]:
    """Keep TensorFlow's greetings off the terminal; no setting silences the first of them."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def start(threads: int) -> None:
    """Import TensorFlow without its greetings, as `prepare` prepares it."""
    with quiet_start():
        prepare(threads)


def prepare(threads: int) -> None:
    """Give a fresh process its share of threads and of GPU memory.

    Has no effect on what was settled when an operation ran in this process before.

    Args:
        threads: Processor threads for TensorFlow, at least 1.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        # Grappler costs seconds for each graph and speeds up no step on a processor.
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError:
        return  # TensorFlow has started: this process trains one child after another


def has_gpu() -> bool:
    """Return whether Keras computes on an accelerator."""
    import keras

    return any(not device.startswith("cpu") for device in keras.distribution.list_devices())


@lru_cache(maxsize=1)
def computes_in_bfloat16() -> bool:
    """Return whether matrix products in bfloat16 are faster than in float32 here."""
    if has_gpu():
        return _gpu_capability() >= BFLOAT16_GPU
    try:
        text = CPU_INFO.read_text(encoding="utf-8")
    except OSError:
        return False
    return not BFLOAT16_FLAGS.isdisjoint(text.split())


def _gpu_capability() -> tuple[int, ...]:
    import keras

    if keras.backend.backend() != "tensorflow":
        return BFLOAT16_GPU
    import tensorflow as tf

    details = tf.config.experimental.get_device_details(tf.config.list_physical_devices("GPU")[0])
    return tuple(details.get("compute_capability", (0, 0)))
