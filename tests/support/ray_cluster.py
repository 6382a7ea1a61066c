"""Real Ray nodes on this machine for tests, started and ended by pid: never `ray stop`."""

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from nas_core.executors import tree

PATIENCE = 90.0
OBJECT_BYTES = 80 << 20


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Node:
    """`ray start --block` and everything below it."""

    def __init__(self, arguments: list[str], log: Path) -> None:
        ray = Path(sys.executable).with_name("ray")
        command = [
            str(ray), "start", "--block", *arguments, "--node-ip-address=127.0.0.1",
            f"--object-store-memory={OBJECT_BYTES}", "--disable-usage-stats",
        ]  # fmt: skip
        self._log = log.open("wb")
        self.process = subprocess.Popen(
            command, stdout=self._log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip

    def below(self, name: str) -> list[int]:
        """Return the processes of this node whose command line holds `name`."""
        pids = [self.process.pid, *tree.descendants(self.process.pid)]
        return [pid for pid in pids if name in _command_line(pid)]

    def kill(self) -> None:
        """End the node as a power cut would."""
        pids = tree.descendants(self.process.pid)
        tree.kill_tree(self.process.pid)
        tree.kill(*pids)
        self.process.wait()
        self._log.close()


class Cluster:
    """A head with some processors, and nodes that join it.

    Attributes:
        address: HOST:PORT of the head.
        head: The head's node.
        nodes: All nodes, the head first.
    """

    def __init__(self, folder: Path, cpus: int) -> None:
        self._folder = folder
        self.nodes: list[Node] = []
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.head = self._start(
            "head", "--head", "--include-dashboard=false", f"--port={self.port}", f"--num-cpus={cpus}",
            f"--temp-dir={folder / 't'}",
        )  # fmt: skip
        self._await_port()

    def add(self, cpus: int) -> Node:
        """Let another node join."""
        name = f"node{len(self.nodes)}"
        return self._start(name, f"--address={self.address}", f"--num-cpus={cpus}")

    def _start(self, name: str, *arguments: str) -> Node:
        self.nodes.append(Node(list(arguments), self._folder / f"{name}.log"))
        return self.nodes[-1]

    def _await_port(self) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1.0).close()
                return
            assert time.monotonic() < end, (self._folder / "head.log").read_text()
            time.sleep(0.1)

    def close(self) -> None:
        for node in self.nodes:
            if node.process.poll() is None:
                node.kill()


@contextlib.contextmanager
def cluster(cpus: int, *others: int) -> Iterator[Cluster]:
    """Run a head with `cpus` processors and a node for each of `others`, with a token.

    The token's place and the other settings are in the environment meanwhile, for the driver.
    """
    with tempfile.TemporaryDirectory(prefix="nas-rt-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        token = folder / "token"
        token.write_text(secrets.token_hex(32))
        settings = {
            "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token),
            "RAY_USAGE_STATS_ENABLED": "0",
        }  # fmt: skip
        before = {key: os.environ.get(key) for key in settings}
        os.environ.update(settings)
        made = None
        try:
            made = Cluster(folder, cpus)
            for count in others:
                made.add(count)
            yield made
        finally:
            if made is not None:
                made.close()
            for key, value in before.items():
                if value is None:
                    os.environ.pop(key, None)
                else:
                    os.environ[key] = value


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
