"""Ray as the bridge sees it: joining or starting a cluster, its nodes, actors, objects.

The one module that calls Ray. Everything here may be slow or never return: its callers have time
limits of their own.
"""

import os
import secrets
import socket
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas_core.errors import NasError, RunError, UsageError
from nas_core.executors.machine import cores
from nas_core.executors.ray.settings import Settings, split_address

REACH_SECONDS = 5.0
LOOPBACK = "127.0.0.1"
UNIT = 1e-4  # in which Ray counts parts of processors and GPUs
OBJECT_BYTES = 100 << 20  # a local node reads data where they lie: nothing is sent


@dataclass(frozen=True)
class Machine:
    """A living node.

    Attributes:
        identity: Ray's name for it.
        address: For people.
        cpus: Processors that nobody has reserved.
        gpus: GPUs that nobody has reserved.
        all_cpus: Processors in all.
        all_gpus: GPUs in all.
    """

    identity: str
    address: str
    cpus: float
    gpus: float
    all_cpus: float
    all_gpus: float

    def fits(self, settings: Settings, free: bool = True) -> int:
        """Return how many trials fit, into what is free or into all of it."""
        cpus, gpus = (self.cpus, self.gpus) if free else (self.all_cpus, self.all_gpus)
        share = settings.share_on(self.all_gpus)
        most = int((cpus + UNIT) / settings.threads)
        if share == 0.0:
            return most
        if gpus < 1.0:  # what is left of one
            return min(most, int((gpus + UNIT) / share))
        return min(most, int(gpus + UNIT) * int(1.0 / share))


def connect(settings: Settings, folder: Path) -> None:
    """Join the cluster at `settings.address`, or start one in `folder`, with a token of its own.

    Raises:
        UsageError: Nothing answers at the address, or the token is refused.
        RunError: Ray says anything else.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if settings.address is None:
        token = folder / "token"
        token.touch(mode=0o600)
        token.write_text(secrets.token_hex(32))
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
        os.environ.pop("RAY_AUTH_TOKEN", None)
        options |= {
            "address": "local",
            "num_cpus": max(cores(), settings.workers * settings.threads),
            "include_dashboard": False,
            "object_store_memory": OBJECT_BYTES,
            "_temp_dir": str(folder / "r"),  # Ray opens it to everybody, which the token is not
            "_node_ip_address": LOOPBACK,
        }
    else:
        _reach(settings.address)
        _show_token()
        options["address"] = settings.address
    _init(settings, options)


def _show_token() -> None:
    """Let Ray use a token that this user has: by itself it does so only when it starts a node."""
    names = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
    usual = Path.home() / ".ray" / "auth_token"
    if any(name in os.environ for name in names) or usual.is_file():
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def _reach(address: str) -> None:
    host, port = split_address(address)
    try:
        socket.create_connection((host, port), REACH_SECONDS).close()
    except OSError as error:
        raise UsageError(
            f"expected the head of a Ray cluster at {address}, received {error}: correct --address "
            f"or start one there: ray start --head --port {port}"
        ) from error


def _init(settings: Settings, options: dict[str, Any]) -> None:
    import ray

    try:
        ray.init(**options)
    # Ray raises whatever its layers raise.
    except Exception as error:
        raise _explained(settings, error) from error


def _explained(settings: Settings, error: Exception) -> NasError:
    """Return what to do about an error of Ray's when a cluster was to be joined."""
    line = f"{type(error).__name__}: {error}"
    line = " ".join(line.split())[:200]
    where = settings.where
    # A port that was reached and does not let us in: Ray itself says no more than that.
    if isinstance(error, ConnectionError) or "token" in line.lower():
        return UsageError(
            f"expected the head of a Ray cluster {where} that accepts this machine's token, "
            f"received {line}: copy ~/.ray/auth_token from the head, or set RAY_AUTH_TOKEN_PATH"
        )
    if "node" in line.lower() and settings.address is not None:
        return UsageError(
            f"expected this machine to be a node of the Ray cluster {where}, received {line}: "
            f"ray start --address {settings.address} --num-cpus 0"
        )
    return RunError(f"expected a Ray cluster {where}, received {line}: look at ray status there")


def machines() -> list[Machine]:
    """Return the living nodes and what is free on them."""
    import ray
    from ray._private.state import available_resources_per_node

    free = available_resources_per_node()
    found = []
    for node in ray.nodes():
        if node["Alive"]:
            here, name = free.get(node["NodeID"], {}), node["NodeID"]
            total = node["Resources"]
            found.append(
                Machine(
                    name,
                    node["NodeManagerAddress"],
                    here.get("CPU", 0.0),
                    here.get("GPU", 0.0),
                    total.get("CPU", 0.0),
                    total.get("GPU", 0.0),
                )
            )
    return found


def make_actor(kind: type, machine: Machine, slots: int, settings: Settings, *args: Any) -> Any:
    """Start an actor on a node, with what `slots` trials need reserved; returns at once."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    options = {
        "num_cpus": slots * settings.threads,
        "num_gpus": settings.gpus_for(slots, machine.all_gpus),
        "max_concurrency": 3,  # orders and data arrive while one call waits for results
        "max_restarts": 0,  # the bridge decides where lost trials go
        "scheduling_strategy": NodeAffinitySchedulingStrategy(machine.identity, soft=False),
    }
    return ray.remote(kind).options(**options).remote(*args)


def when_done(reference: Any, tell: Callable[["Future[Any]"], None]) -> None:
    """Call `tell`, in a thread of Ray's, with the finished future of a remote call."""
    reference.future().add_done_callback(tell)


def end_actor(actor: Any) -> None:
    """Kill an actor that may already have ended."""
    import ray

    ray.kill(actor, no_restart=True)


def put(value: bytes) -> Any:
    """Return an object that every node can fetch."""
    import ray

    return ray.put(value)


def fetch(reference: Any) -> bytes:
    """Return an object's bytes on the node that calls this."""
    import ray

    data: bytes = ray.get(reference)
    return data


def leave() -> None:
    """Disconnect; what this process has started ends."""
    import ray

    ray.shutdown()
