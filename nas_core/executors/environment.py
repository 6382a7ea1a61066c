"""Environment variables of a trial: its share of processor threads, its GPU, and quiet."""

import os


def trial_environment(threads: int, gpu: str | None) -> dict[str, str]:
    """Return the variables to set before a trial imports anything heavy.

    Args:
        threads: Processor threads of the trial.
        gpu: Its one GPU as a value for `CUDA_VISIBLE_DEVICES`; None for the processor alone.
    """
    count = str(threads)
    return {
        "OMP_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "TF_NUM_INTRAOP_THREADS": count,
        "TF_NUM_INTEROP_THREADS": count,
        "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3"),
        # Several trials may share a GPU: neither backend may take all of its memory at once.
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "CUDA_VISIBLE_DEVICES": "-1" if gpu is None else gpu,
    }


def server_environment(threads: int) -> dict[str, str]:
    """Return the variables for a fork server, which must not start a single thread."""
    return {
        **trial_environment(threads, None),
        # OpenBLAS starts its threads when NumPy is imported, Arrow its allocator's when Keras
        # finds pandas with pyarrow.
        "OPENBLAS_NUM_THREADS": "1",
        "JE_ARROW_MALLOC_CONF": "background_thread:false",
    }
