"""The `nas` command and its verbs."""

from importlib.metadata import entry_points
from typing import Any

import typer
from typer.core import TyperGroup

from nas_core.cli import compare, data, doctor, retrain, runs, sagemaker, search

VERBS = "nas.verbs"


class Verbs(TyperGroup):
    """The verbs here, then those of packages that `nas_core` does not know.

    These register a `typer.Typer` as entry point of the group `nas.verbs`. It is loaded when it is
    named or listed, so that the other verbs do not wait for it.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all verbs."""
        return [*super().list_commands(ctx), *sorted(entry_points(group=VERBS).names)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a verb; None if there is none."""
        own = super().get_command(ctx, cmd_name)
        for verb in entry_points(group=VERBS, name=cmd_name) if own is None else ():
            loaded = typer.main.get_command(verb.load())
            loaded.name = cmd_name
            return loaded
        return own


app = typer.Typer(
    name="nas",
    cls=Verbs,
    help="Reinforcement-learning neural architecture search for Keras.",
    epilog="Start with: nas search metaqnn --data leaves --trials 24. "
    "Add --debug anywhere to see a traceback.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def root() -> None:
    """Reinforcement-learning neural architecture search for Keras."""


search.register(app)
runs.register(app)
retrain.register(app)
compare.register(app)
doctor.register(app)
app.add_typer(
    data.app,
    name="data",
    help="Data sets: make, import, check, look at them, copy them to S3.",
    epilog="Start with: nas data show leaves --out leaves.png",
)
app.add_typer(
    sagemaker.app,
    name="sagemaker",
    help="Searches, trials and final trainings as jobs of Amazon SageMaker.",
    epilog="Start with: nas sagemaker search --dry-run --data s3://bucket/leaves --role ROLE_ARN",
)
