"""The driver's end of the bridge: its process, its pipes, its end."""

import contextlib
import multiprocessing
from collections.abc import Iterator
from typing import Any

from nas_core.executors import tree
from nas_core.executors.main_module import hidden_main
from nas_core.executors.ray import bridge
from nas_core.executors.ray.folder import Folder
from nas_core.executors.ray.settings import Settings
from nas_core.executors.wire import Lines, Pipe, Tail, encode_line

LEAVE_SECONDS = 1.2  # for the actors of a cluster that stays to be told


class Bridge:
    """The bridge as the driver sees it.

    Attributes:
        gone: Whether it has ended and everything it said was read.
    """

    def __init__(self, trainer: bytes, settings: Settings) -> None:
        """Start the process; returns at once, long before it has found a cluster.

        Args:
            trainer: As multiprocessing sends it.
            settings: What to run where.
        """
        self.gone = False
        self._stays = settings.address is not None  # the cluster, after this search
        self._folder = Folder()
        context = multiprocessing.get_context("spawn")
        requests, self._requests = context.Pipe(duplex=False)
        answers, child_answers = context.Pipe(duplex=False)
        output, child_output = context.Pipe(duplex=False)
        self._answers, self._output = Lines(Pipe(answers)), Tail(Pipe(output))
        ends = (requests, child_answers, child_output)
        self._process = context.Process(
            target=bridge.main, args=(*ends, settings, str(self._folder.path)), daemon=True
        )
        with hidden_main():
            self._process.start()
        for end in ends:
            end.close()
        with contextlib.suppress(OSError):
            self._requests.send_bytes(trainer)

    def send(self, order: dict[str, Any]) -> None:
        """Send an order; the end of the bridge is noticed when its answers are read."""
        with contextlib.suppress(OSError):
            self._requests.send_bytes(encode_line(order))

    def waitables(self) -> list[Any]:
        """Return what becomes readable when there is something to do."""
        pipes = [pipe for pipe in (self._answers.pipe, self._output.pipe) if not pipe.closed]
        return [self._process.sentinel, *pipes]

    def messages(self) -> Iterator[dict[str, Any]]:
        """Yield what it has said, up to its end."""
        ended = self._process.exitcode is not None
        self._output.read()  # so that what Ray prints never fills the pipe
        yield from self._answers.read()
        while ended and not self._answers.pipe.closed:
            yield from self._answers.read()
        self.gone = ended

    def end(self) -> None:
        """End the bridge, its actors, and a cluster of its own; free what it held here."""
        if self._stays:
            self.send({"close": 1})
            self._process.join(LEAVE_SECONDS)
        pid = self._process.pid
        if pid is not None and self._process.exitcode is None:
            tree.kill_tree(pid)
        self._process.join(LEAVE_SECONDS)
        self._requests.close()
        self._answers.pipe.close()
        self._output.pipe.close()
        with contextlib.suppress(ValueError):
            self._process.close()
        self._folder.remove()
