"""The `nas` command and its verbs."""

from importlib.metadata import entry_points

import typer

from nas_core.cli import compare, data, doctor, retrain, runs, sagemaker, search

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
    help="Data sets: make, import, check, look at them, copy them to S3.",
    epilog="Start with: nas data show leaves --out leaves.png",
)
app.add_typer(
    sagemaker.app,
    name="sagemaker",
    help="Searches, trials and final trainings as jobs of Amazon SageMaker.",
    epilog="Start with: nas sagemaker search --dry-run --data s3://bucket/leaves --role ROLE_ARN",
)
for verb in sorted(entry_points(group="nas.verbs"), key=lambda entry: entry.name):
    # Packages that nas_core does not know bring their own verbs; what is loaded is a Typer.
    app.add_typer(verb.load(), name=verb.name)
