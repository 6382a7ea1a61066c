"""The `nas` command and its verbs."""

import typer

from nas_core.cli import compare, data, doctor, retrain, runs, search

app = typer.Typer(
    name="nas",
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
    help="Data sets: make, import, check and look at them.",
    epilog="Start with: nas data show leaves --out leaves.png",
)
