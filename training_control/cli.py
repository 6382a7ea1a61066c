"""`nas control`: train a brain, train under one, compare agents with schedules, list the tasks.

Registered as the entry point `control` of the group `nas.verbs`; heavy imports wait for a verb.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas_core.cli.grouped import grouped
from nas_core.cli.output import (
    JsonFlag,
    check_writable,
    command,
    number,
    print_json,
    say,
    table,
)
from nas_core.errors import RunError, UsageError

if TYPE_CHECKING:
    from training_control.comparison.methods import Agent
    from training_control.comparison.protocol import Protocol
    from training_control.meta_training import Round
    from training_control.one_run import Finished

QUIET_SECONDS = 1.0  # least time between two lines of progress
NONE = "none"
USUAL_RATE_SEEDS = 5

app = typer.Typer(
    add_completion=False,
    help="Agents that control a training: train, use and compare them.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
Seed = Annotated[int, typer.Option(min=0, help="Of everything random.")]
Preset = Annotated[str, typer.Option(help="quick, published or paper.")]
Decisions = Annotated[int, typer.Option(min=1, help="Of an agent in one training.")]
Epochs = Annotated[float | None, typer.Option(help="Budget instead of the preset's.")]


@app.command()
@command
def train(
    out: Annotated[Path, typer.Option(help="Folder of the brain; an unfinished one goes on.")],
    agent: Annotated[str, typer.Option(help="ppo or dqn.")] = "ppo",
    simulated: Annotated[int, typer.Option(help="Decisions in simulated trainings.")] = 2_097_152,
    episodes: Annotated[int, typer.Option(help="Real trainings afterwards; 0 for none.")] = 0,
    problems: Annotated[int, typer.Option(help="Generated problems they are drawn from.")] = 24,
    seed: Seed = 0,
    preset: Annotated[str, typer.Option(help="The agent's settings: ours, or paper.")] = "ours",
    json: JsonFlag = False,
) -> None:
    """Meta-train a brain on many small trainings: simulated ones, then, if asked for, real ones.

    Ctrl-C keeps what is learned; the same command goes on.

    Examples:  nas control train --agent ppo --out brains/mine

    nas control train --agent dqn --out brains/dqn --simulated 400000 --episodes 120
    """
    from training_control.making import Plan, make_brain

    plan = Plan(agent, simulated, episodes, problems, seed, preset)
    _start_tensorflow()
    brain = make_brain(plan, out, _Rounds())
    score = 0.0 if brain.score is None else brain.score
    if json:
        print_json({"brain": str(out), "agent": agent, "score": score})
    else:
        where = "meta-validation" if episodes > 0 else "unseen simulated trainings"
        print(f"{agent}: gain {score:.3f} nats on {where}, written to {out}")


@app.command()
@command
def run(
    task: Annotated[str, typer.Option(help="A name that `nas control tasks` lists.")],
    data: Annotated[str | None, typer.Option(help="File or name, instead of the usual.")] = None,
    model: Annotated[str | None, typer.Option(help="Network, instead of the usual.")] = None,
    brain: Annotated[str, typer.Option(help="default, ppo, dqn or a brain's folder.")] = "default",
    agent: Annotated[str, typer.Option(help="brain; off trains plainly.")] = "brain",
    initial_lr: Annotated[float | None, typer.Option(help="First learning rate.")] = None,
    seed: Seed = 0,
    preset: Preset = "quick",
    epochs: Epochs = None,
    decisions: Decisions = 30,
    test: Annotated[bool, typer.Option("--test", help="Open the test split at the end.")] = False,
    log: Annotated[
        Path | None,
        typer.Option(help="Folder for curves, decisions, and models: best.keras, last.keras."),
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Train once under a brain, or plainly with --agent off.

    Examples:  nas control run --task titanic --data titanic.csv --log runs/titanic

    nas control run --task leaves --initial-lr 1e-5

    nas control run --task leaves --initial-lr 1e-5 --agent off
    """
    from training_control.tasks.registry import make_task

    if agent not in ("brain", "off"):
        raise UsageError(f"expected --agent brain or off, received {agent!r}")
    _check_rates([] if initial_lr is None else [initial_lr])
    made = make_task(task, data=data, model=model, preset=preset, epochs=epochs)
    if initial_lr is not None:
        made = made.starting_at(initial_lr)
    from training_control.interventions import has_tensorboard
    from training_control.one_run import train_once

    steering = _brain(brain) if agent == "brain" else None
    _start_tensorflow()
    finished = train_once(made, steering, seed=seed, decisions=decisions, test=test, log=log)
    if log is not None and not has_tensorboard():
        say("no log for TensorBoard, which is not installed: pip install tensorboard")
    if json:
        print_json(finished.result)
    else:
        _print_run(finished, log)


@dataclass(frozen=True)
class Wanted:
    """What is compared, as typed."""

    tasks: Annotated[str, typer.Option(help="Names A,B,C or NAME:MODEL; see nas control tasks.")]
    data: Annotated[
        list[str] | None, typer.Option(help="NAME=FILE,... for tasks that need files.")
    ] = None
    agents: Annotated[
        str, typer.Option(help="default, ppo, dqn, or NAME=FOLDER of a brain; A,B,C.")
    ] = "default"
    baselines: Annotated[str, typer.Option(help="A,B,C, or all.")] = "all"
    seeds: Annotated[int, typer.Option(help="Trainings of each tuned method on each task.")] = 10
    preset: Preset = "quick"
    tuning: Annotated[int, typer.Option(help="Trainings that tune each method.")] = 6
    decisions: Decisions = 30
    epochs: Epochs = None
    rates: Annotated[str, typer.Option(help="Given initial rates A,B,C, or none.")] = (
        "1e-5,1e-4,1e-3,1e-2,1e-1,1"
    )
    rate_seeds: Annotated[int | None, typer.Option(help="Trainings from each; 5.")] = None
    untrained: Annotated[
        bool, typer.Option(help="Compare each agent with itself before it learned, too.")
    ] = True
    workers: Annotated[
        int | None, typer.Option(min=1, help="Trainings at a time; one per core.")
    ] = None

    def protocol(self, digests: dict[str, str]) -> "Protocol":
        """Return the settings; of the agents only the digests by name.

        Raises:
            UsageError: A value that cannot be.
        """
        from training_control.comparison.methods import BASELINES
        from training_control.comparison.protocol import Protocol

        few = min(self.seeds, USUAL_RATE_SEEDS) if self.rate_seeds is None else self.rate_seeds
        base = BASELINES if self.baselines == "all" else tuple(_names(self.baselines))
        return Protocol(
            tuple(_names(self.tasks)), _pairs(self.data, "--data"), digests, base, self.seeds,
            self.preset, self.tuning, self.decisions, _rates(self.rates), few, self.epochs,
        )  # fmt: skip

    def everyone(self) -> "list[Agent]":
        """Return the agents, made where there are none yet, and themselves untrained."""
        from training_control.comparison.agents import untrained_twin

        learned = _agents(self.agents)
        return learned + ([untrained_twin(agent) for agent in learned] if self.untrained else [])


@app.command()
@command
@grouped("wanted", Wanted)
def compare(
    *,
    wanted: Wanted,
    out: Annotated[
        Path | None, typer.Option(help="Folder; a repeated command does what is missing.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures.")] = None,
) -> None:
    """Compare agents with tuned schedules: same tasks, seeds and tuning budget, with intervals.

    Every finished training is kept; Ctrl-C, then the same command, goes on. The folder holds
    trainings.jsonl, summary.json and pictures.

    Examples:  nas control compare --tasks leaves --seeds 3

    nas control compare --tasks titanic,mnist --data titanic=titanic.csv,mnist=mnist.npz --agents
    ppo,dqn --seeds 10 --json out.json
    """
    from nas_core.executors.machine import cores
    from nas_core.files import write_json
    from nas_core.trainer import runtime
    from training_control.comparison import pictures, report, tables
    from training_control.comparison.runner import THREADS, Comparison

    wanted.protocol({}).make_tasks()  # what is wrong is said before an agent is trained
    if json_file is not None:
        check_writable(json_file, "--json")
    runtime.start(THREADS)
    everyone = wanted.everyone()
    settled = wanted.protocol({agent.name: agent.identity for agent in everyone})
    folder = Path("runs") / f"control-{settled.digest}" if out is None else out
    say(f"trainings are kept in {folder}")
    count = cores() if wanted.workers is None else wanted.workers
    found = Comparison(settled, everyone, folder, _Trainings()).run(count)
    said = report.summary(found)
    try:
        write_json(folder / "summary.json", said)
        if json_file is not None:
            write_json(json_file, report.to_json(found))
    except OSError as error:
        raise RunError(f"cannot write the figures ({error}): choose another place") from error
    for path in pictures.write(found, folder):
        say(f"drawn: {path}")
    print(tables.text(said))


@app.command()
@command
def tasks(json: JsonFlag = False) -> None:
    """List the tasks, their networks, metrics and data.

    Example:  nas control tasks
    """
    from training_control.tasks.registry import OF_FAMILY, TASKS

    rows = [
        {
            "task": name,
            "family": task.family,
            "metric": task.metric,
            "models": list(OF_FAMILY[task.family]),
            "source": task.source or "--data",
            "data": task.hint,
        }
        for name, task in TASKS.items()
    ]
    if json:
        print_json(rows)
        return
    cells = [
        (r["task"], r["family"], r["metric"], ", ".join(r["models"]), r["source"], r["data"])
        for r in rows
    ]
    print(table(("task", "family", "metric", "networks", "from", "or give"), cells))


def _start_tensorflow() -> None:
    from nas_core.executors.machine import cores
    from nas_core.trainer import runtime

    runtime.start(cores())


def _brain(name: str) -> "Agent":
    from training_control.comparison.agents import shipped
    from training_control.comparison.methods import Agent
    from training_control.steering import open_brain

    found = shipped(name)
    folder = Path(name) if found is None else found
    return Agent.of(folder.name if found is None else name, open_brain(folder))


def _agents(text: str) -> "list[Agent]":
    from training_control.comparison.agents import check_apart, find

    names = [name.split("=")[0] for name in _names(text)]
    check_apart(names)
    folders = dict(_pair(name, "--agents") for name in _names(text) if "=" in name)
    return [find(name, folders) for name in names]


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _pairs(given: list[str] | None, option: str) -> dict[str, str]:
    """Return NAME=FILE pairs, separated by commas or given several times."""
    found = [_pair(name, option) for text in given or [] for name in _names(text)]
    names = [name for name, _ in found]
    if len(set(names)) < len(names):
        raise UsageError(f"expected each name of {option} once, received {', '.join(names)}")
    return dict(found)


def _pair(text: str, option: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not (name and sign and value):
        raise UsageError(f"expected {option} as NAME=FILE, received {text!r}")
    return name, value


def _rates(text: str) -> tuple[float, ...]:
    if text.strip() == NONE:
        return ()
    try:
        found = [float(name) for name in _names(text)]
    except ValueError:
        raise UsageError(
            f"expected --rates as numbers such as 1e-4,1e-3 or none, received {text!r}"
        ) from None
    _check_rates(found)
    return tuple(dict.fromkeys(found))


def _check_rates(rates: list[float]) -> None:
    for rate in rates:
        if not 0.0 < rate <= 10.0:
            raise UsageError(f"expected a learning rate above 0, up to 10, received {rate:g}")


class _Trainings:
    """Lines on stderr with the time left; what was done before is not counted into it."""

    def __init__(self) -> None:
        self._started = self._last = time.monotonic()
        self._new = 0

    def __call__(self, what: str, done: int, total: int, new: bool) -> None:
        from nas_core.cli.progress import duration

        now = time.monotonic()
        self._new += new
        if now - self._last < QUIET_SECONDS and done < total:
            return
        self._last = now
        left = "done before"
        if self._new > 0:
            left = f"{duration((now - self._started) / self._new * (total - done))} left"
        say(f"{done}/{total} trainings  {left}  ({what})")


class _Rounds:
    """A line for each round of meta-training, with the time left of its stage."""

    def __init__(self) -> None:
        self._first: tuple[str, int, float] | None = None

    def __call__(self, now: "Round") -> None:
        from nas_core.cli.progress import duration

        clock = time.monotonic()
        if self._first is None or self._first[0] != now.stage:
            self._first = (now.stage, now.done, clock)
        passed, done = clock - self._first[2], now.done - self._first[1]
        left = duration(passed / done * max(now.total - now.done, 0)) if done > 0 else "some time"
        say(
            f"{now.stage} {now.done}/{now.total}  gain {now.gain:.3f} nats, {now.still:.3f} when "
            f"left alone  {left} left"
        )


def _print_run(finished: "Finished", log: Path | None) -> None:
    cells = [
        (e.epoch, e.event, number(e.train_loss, 4), number(e.validation_loss, 4), e.changed)
        for e in finished.entries
    ]
    print(table(("epoch", "event", "training loss", "validation loss", "changed"), cells))
    print(f"\n{_line(finished.result)}")
    if log is not None:
        print(f"logs: {log}")


def _line(result: dict[str, Any]) -> str:
    share = 100 * result["agent_seconds"] / result["seconds"]
    ends = [
        f"{split} " + ", ".join(f"{name} {number(value, 4)}" for name, value in figures.items())
        for split in ("validation", "test")
        if (figures := result[split]) is not None
    ]
    return "; ".join(
        [
            f"{result['task']} under {result['method']}",
            *(ends if ends else ["lost: the loss was no longer finite"]),
            f"{result['interventions']} interventions, {result['rollbacks']} rollbacks",
            f"{result['seconds']:.1f} s, {share:.1f} % of them the agent",
        ]
    )
