"""What a search asks of a cluster, sent to the bridge and to every node."""

from dataclasses import dataclass

from nas_core.errors import UsageError

INSTALL = "pip install '.[ray]' in this project's folder"
FORM = "HOST:PORT of its head, such as 10.0.0.5:6379"


@dataclass(frozen=True)
class Settings:
    """What to run, and what each child may take.

    Attributes:
        workers: Trials at once on all nodes together, at most.
        address: HOST:PORT of the cluster's head; None for a cluster of this machine alone, which
            is started for the search and ends with it.
        threads: Processors of one trial, reserved on its node.
        gpu_share: GPUs of one trial, such as 0.5 for two on each; None for a whole one on nodes
            that have any.
        seconds_limit: Wall-clock seconds of one trial.
        memory_limit_bytes: Memory of one trial; None for an equal share of what its node has free.
    """

    workers: int
    address: str | None = None
    threads: int = 1
    gpu_share: float | None = None
    seconds_limit: float | None = None
    memory_limit_bytes: int | None = None

    def __post_init__(self) -> None:
        if isinstance(self.workers, bool) or not isinstance(self.workers, int) or self.workers < 1:
            raise UsageError(f"expected workers as a whole number from 1, received {self.workers}")
        if self.threads < 1:
            raise UsageError(f"expected at least 1 thread per trial, received {self.threads}")
        share = self.gpu_share
        if share is not None and not 0.0 <= share <= 1.0:
            raise UsageError(
                f"expected --gpu-share from 0 to 1, received {share}: 0.5 lets two children share "
                "a GPU"
            )
        if self.address is not None:
            split_address(self.address)

    def share_on(self, gpus: float) -> float:
        """Return the part of a GPU that a trial has on a node with `gpus` of them."""
        if self.gpu_share is not None:
            return self.gpu_share
        return 1.0 if gpus > 0.0 else 0.0

    def gpus_for(self, slots: int, gpus: float) -> float:
        """Return what to reserve for `slots` trials on a node with `gpus`: Ray splits one only."""
        share = self.share_on(gpus)
        if slots * share <= 1.0:
            return slots * share
        return float(-(-slots // int(1.0 / share)))

    @property
    def where(self) -> str:
        """The cluster's name in a message."""
        return "on this machine" if self.address is None else f"at {self.address}"


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of `address`.

    Raises:
        UsageError: It is not HOST:PORT.
    """
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdigit() or not 0 < int(port) < 1 << 16:
        raise UsageError(f"expected --address as {FORM}, received {address!r}: correct it")
    return host.strip("[]"), int(port)
