"""One child process as the driver sees it: its pipes, its clock, its memory, its end."""

import contextlib
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from multiprocessing.context import BaseContext
from typing import Any

from nas_core.executors import child, tree
from nas_core.executors.limits import Limits
from nas_core.executors.main_module import hidden_main, visible_main
from nas_core.executors.wire import Lines, Pipe, Tail, encode_request
from nas_core.spec import Spec
from nas_core.trainer.base import Job, Result, Status, failed

STARTUP_SECONDS = 120.0  # for the imports of a process that is not forked, on a loaded machine
JOIN_SECONDS = 2.0
LOST = (-signal.SIGKILL, 255)  # 255: the fork server was killed, which knows how its children end


@dataclass(frozen=True)
class Sealed:
    """A trainer ready to be sent.

    Attributes:
        data: The trainer as multiprocessing sends it.
        needs_main: Whether a child must run the user's main module first.
    """

    data: bytes
    needs_main: bool


class Worker:
    """A child process that runs one trial at a time.

    Attributes:
        trial: Number of the trial that it runs, or None.
        ready: Whether it has loaded the trainer.
        spent: Whether it has ended, or must be: it can serve no other trial.
        unloadable: Why it could not load the trainer; empty if it could.
        lost: Whether somebody else killed it: no fault of the trial.
    """

    def __init__(
        self, context: BaseContext, sealed: Sealed, limits: Limits, environment: Mapping[str, str]
    ) -> None:
        self.trial: int | None = None
        self.ready = self.spent = self.lost = False
        self.unloadable = ""
        self._served = 0
        self._limits = limits
        self._began = 0.0
        self._oom_kills = tree.kernel_oom_kills()
        requests, self._requests = context.Pipe(duplex=False)
        answers, child_answers = context.Pipe(duplex=False)
        output, child_output = context.Pipe(duplex=False)
        self._answers, self._output = Lines(Pipe(answers)), Tail(Pipe(output))
        ends = (requests, child_answers, child_output)
        self.process = context.Process(  # type: ignore[attr-defined]
            target=child.main, args=(*ends, dict(environment)), daemon=True
        )
        with visible_main() if sealed.needs_main else hidden_main():
            self.process.start()
        for end in ends:
            end.close()
        self._send(sealed.data)

    def give(self, spec: Spec, job: Job) -> None:
        """Start a trial."""
        self.trial = job.trial
        self._served += 1
        self._began = time.monotonic()
        self._send(encode_request(spec, job))

    def waitables(self) -> list[Any]:
        """Return what becomes readable when there is something to do here."""
        pipes = [pipe for pipe in (self._answers.pipe, self._output.pipe) if not pipe.closed]
        return [self.process.sentinel, *pipes]

    def read(self) -> Result | None:
        """Take in what the child has said, and return the trial's result once there is one."""
        ended = self.process.exitcode is not None
        self._output.read()
        try:
            result = self._messages()
            while ended and result is None and not self._answers.pipe.closed:
                result = self._messages()
        except (ValueError, TypeError, KeyError) as error:
            return self._failure(Status.ERROR, f"expected an answer in JSON, received {error}")
        return self._died() if result is None and ended else result

    def _messages(self) -> Result | None:
        for message in self._answers.read():
            if "ready" in message:
                self.ready = True
                self._began = time.monotonic()  # the imports are not the trial's time
            elif "unloadable" in message:
                self.unloadable = str(message["unloadable"])
                self.spent = True
            elif message["trial"] == self.trial:
                return Result.from_json(message["result"])
        return None

    def over_limit(self) -> Result | None:
        """Return the failure of a trial that has taken more than it may, else None."""
        seconds = self._limits.seconds + (0.0 if self.ready else STARTUP_SECONDS)
        if time.monotonic() - self._began > seconds:
            return self._failure(Status.TIMEOUT, f"no answer within {seconds:g} s")
        limit = self._limits.memory_bytes
        if limit is not None and (used := self._memory()) > limit:
            message = f"{used / 1e6:.0f} MB in use, more than the limit of {limit / 1e6:.0f} MB"
            return self._failure(Status.OUT_OF_MEMORY, message)
        return None

    def rest(self) -> None:
        """Between two trials: end what the last one has left running."""
        self.trial = None
        tree.kill(*tree.descendants(self.process.pid))

    def worn(self, trials: int) -> bool:
        """Whether it should be replaced: enough trials, or too much memory kept from them."""
        limit = self._limits.memory_bytes
        return self._served >= trials or (limit is not None and 2 * self._memory() > limit)

    def kill(self) -> None:
        """Kill the process and everything below it, without waiting for their end."""
        tree.kill_tree(self.process.pid)

    def end(self) -> None:
        """Kill the process and everything below it; free what it held here."""
        self.kill()
        self.process.join(JOIN_SECONDS)
        self._requests.close()
        self._answers.pipe.close()
        self._output.pipe.close()
        with contextlib.suppress(ValueError):  # stuck in the kernel: init will have it
            self.process.close()

    def _memory(self) -> int:
        return tree.memory(self.process.pid, self._limits.memory_bytes)

    def _send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # its end is noticed, and answered, in `read`
            self._requests.send_bytes(data)

    def _died(self) -> Result:
        code = self.process.exitcode
        if code == -signal.SIGKILL and tree.kernel_oom_kills() > self._oom_kills:
            return self._failure(Status.OUT_OF_MEMORY, "killed by the kernel, out of memory")
        self.lost = code in LOST
        name = f"exit code {code}"
        if code < 0:
            name = f"signal {_signal_name(-code)}"
        elif self._output.last_line():
            name += f" after {self._output.last_line()!r}"
        return self._failure(Status.KILLED, f"the process ended without an answer: {name}")

    def _failure(self, status: Status, message: str) -> Result:
        self.spent = True
        result = failed(status, message, time.monotonic() - self._began)
        return replace(result, details={"output": self._output.text()})


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
