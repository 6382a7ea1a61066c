"""The process between driver and cluster: it has the nodes' actors, and one loop over events.

    driver -> {"submit": ticket, "trial": n, "request": text} | {"cancel": ticket} | {"close": 1}
    driver <- {"state": {...}} | {"ticket": n, "result": text} | {"refused": text, "usage": bool}

Threads only put events into one queue: the reader of orders, the watcher of nodes, Ray's own when
a remote call is done. Only the loop decides anything.
"""

import contextlib
import json
import os
import queue
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from nas_core.errors import NasError
from nas_core.executors.answer import describe
from nas_core.executors.lifeline import become_killable
from nas_core.executors.ray import cluster
from nas_core.executors.ray.actors import Actors
from nas_core.executors.ray.refusals import refusal
from nas_core.executors.ray.settings import Settings
from nas_core.executors.wire import encode_line, send_line

LOOK_SECONDS = 2.0  # between two looks at the cluster's nodes
LOST_SECONDS = 30.0  # without an answer of the head: Ray itself would wait 60 and end the process
EMPTY_SECONDS = 300.0  # without any node that takes trials

Event = tuple[str, Any]


def main(
    requests: Connection, answers: Connection, output: Connection, settings: Settings, folder: str
) -> None:
    """Serve one executor until its driver closes it, or ends.

    Args:
        requests: Brings the trainer, then orders.
        answers: Takes one line of JSON per message.
        output: Takes everything that Ray prints.
        settings: What to run where.
        folder: For the files of a local cluster.
    """
    become_killable(output.fileno())
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    writer = threading.Thread(target=_write, args=(answers, lines), daemon=True)
    writer.start()

    def tell(message: dict[str, Any]) -> None:
        lines.put(encode_line(message))

    try:
        trainer = requests.recv()
        cluster.connect(settings, Path(folder))
        actors = Actors(trainer, settings, lambda kind, value: events.put((kind, value)), tell)
        for target, args in ((_read, (requests, events)), (_look, (events,))):
            threading.Thread(target=target, args=args, daemon=True).start()
        _serve(events, actors)
    except NasError as error:
        tell(refusal(error))
    # Loading the trainer runs any user's module, and Ray raises what its layers raise.
    except BaseException as error:
        tell({"refused": f"the connection to Ray failed: {describe(error)}", "usage": False})
    lines.put(None)
    writer.join()
    with contextlib.suppress(Exception):
        cluster.leave()
    os._exit(0)  # Ray's threads are of no interest any more


def _serve(events: "queue.SimpleQueue[Event]", actors: Actors) -> None:
    """Handle events until the driver says close.

    Raises:
        NasError: The cluster is lost, or no node can run trials.
    """
    heard = served = time.monotonic()
    while True:
        with contextlib.suppress(queue.Empty):
            kind, value = events.get(timeout=LOOK_SECONDS)
            if kind == "close":
                actors.close()
                return
            actors.handle(kind, value)
            if kind == "machines":
                heard = time.monotonic()
        now = time.monotonic()
        served = now if actors.serving else served
        actors.check(silent=now - heard > LOST_SECONDS, empty=now - served > EMPTY_SECONDS)


def _read(requests: Connection, events: "queue.SimpleQueue[Event]") -> None:
    """Turn the driver's orders into events; its end comes as the end of this process."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            order = json.loads(requests.recv_bytes())
            events.put(("close" if "close" in order else "order", order))


def _look(events: "queue.SimpleQueue[Event]") -> None:
    """Say which nodes there are, as long as the head answers."""
    while True:
        with contextlib.suppress(Exception):  # no news: `_serve` counts the seconds
            events.put(("machines", cluster.machines()))
        time.sleep(LOOK_SECONDS)


def _write(answers: Connection, lines: "queue.SimpleQueue[bytes | None]") -> None:
    # In a thread of its own: a driver that is busy learning must not keep the nodes waiting.
    with contextlib.suppress(OSError):
        while (line := lines.get()) is not None:
            send_line(answers, line)
