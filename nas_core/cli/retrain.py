"""`nas retrain` and `nas predict`: from the best specifications to models that classify."""

from pathlib import Path
from typing import Annotated, Any

import typer

from nas_core.cli.output import JsonFlag, command, number, print_json, say, table
from nas_core.cli.search import Controller

LAYERS_SHOWN = 4


@command
def retrain(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    top: Annotated[int, typer.Option(help="How many of the best architectures.")] = 3,
    seeds: Annotated[int, typer.Option(help="Trainings of each, with different seeds.")] = 1,
    epochs: Annotated[int | None, typer.Option(help="Epochs; the final recipe's number.")] = None,
    data: Annotated[str | None, typer.Option(help="Another data set than the run's.")] = None,
    cells: Annotated[
        int | None, typer.Option(help="Cells: normal ones in each of three stacks.")
    ] = None,
    filters: Annotated[int | None, typer.Option(help="Cells: filters of the first stack.")] = None,
    init_from: Annotated[
        Path | None,
        typer.Option(metavar="MODEL", help="Also fine-tune from this .keras file's weights."),
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Trainings at a time.")] = None,
    controller: Controller = None,
    json: JsonFlag = False,
) -> None:
    """Retrain the best architectures on all data, test them once, save the models.

    With --init-from each is trained twice with the same budget: from scratch, and from the
    model's weights where a layer of the same name has the same shapes. Interrupted, the same
    command goes on: with finished trainings kept, and others from their last checkpoint.

    Examples:  nas retrain R2 --top 3 --seeds 2

    A cell in a larger network, on other data:  nas retrain N1 --cells 4 --filters 32 --data mine

    Weights too:  nas retrain N1 --top 1 --data mine --init-from N1/models/BEST.keras
    """
    from nas_core.retrain import retrain as run_retrain

    outcome = run_retrain(
        run,
        top=top,
        seeds=seeds,
        epochs=epochs,
        data=data,
        cells=cells,
        filters=filters,
        init_from=init_from,
        workers=workers,
        controller=controller,
        on_line=say,
    )
    if json:
        print_json(outcome)
    else:
        print_outcome(outcome)


def _spread(values: list[float]) -> str:
    from statistics import fmean, stdev

    spread = f" ± {stdev(values):.4f}" if len(values) > 1 else ""
    return f"{fmean(values):.4f}{spread}" if values else "failed"


def _figures(outcome: dict[str, Any]) -> str:
    """Return the table; how a training started is told where there are two kinds of start."""
    tuned = any(row["start"] != "scratch" for row in outcome["architectures"])
    rows = [
        (
            number(row["search_score"], 4),
            _spread(row["validation_accuracy"]),
            _spread(row["test_accuracy"]),
            *([row["start"]] if tuned else []),
            row["text"],
        )
        for row in [*outcome["architectures"], outcome["baseline"]]
    ]
    start = ["start"] if tuned else []
    last = "architecture (last: made by hand)"
    return table(("search", "validation", "test", *start, last), rows)


def _inherited(outcome: dict[str, Any]) -> list[str]:
    """Return a line for each fine-tuned architecture: how much it inherited, what is fresh."""
    return [
        f"{len(row['copied'])} layers copied from {row['init_from']}, {len(row['fresh'])} fresh"
        f" ({_few(row['fresh'])}): {row['text']}"
        for row in outcome["architectures"]
        if row["start"] != "scratch"
    ]


def _few(names: list[str]) -> str:
    shown = ", ".join(names[:LAYERS_SHOWN])
    return f"{shown}, ...: --json lists all" if len(names) > LAYERS_SHOWN else shown or "none"


def print_outcome(outcome: dict[str, Any]) -> None:
    """Print the table of a retraining, and what else is known of the best."""
    print(_figures(outcome))
    inherited = _inherited(outcome)
    if inherited:
        print("", *inherited, sep="\n")
    correlation = outcome["rank_correlation"]
    if correlation is not None:
        print(f"\nrank correlation of search and retrained scores: {correlation:.2f}")
    confusion = outcome["confusion"]
    if confusion is not None:
        print("\nconfusion of the best (rows true, columns predicted) and accuracy per class")
        accuracy = outcome["per_class_accuracy"]
        cells = [
            (*counts, f"{accuracy[name]:.3f}", name)
            for name, counts in zip(confusion["classes"], confusion["matrix"], strict=True)
        ]
        header = [*(str(i) for i in range(len(confusion["classes"]))), "accuracy", "class"]
        print(table(header, cells))
    models = [path for row in outcome["architectures"] for path in row["model"]]
    if models:
        print(f"\nmodels: {' '.join(models)}\nnext: nas predict {models[0]} FILE...")


@command
def predict(
    model: Annotated[Path, typer.Argument(help="A .keras file that nas retrain saved.")],
    inputs: Annotated[
        list[Path],
        typer.Argument(help="Pictures, folders of pictures; or files with a text in each line."),
    ],
    json: JsonFlag = False,
) -> None:
    """Classify pictures or texts with a retrained model.

    Examples:  nas predict R2/models/best.keras photo1.jpg photo2.jpg

    nas predict T1/models/best.keras reviews.txt
    """
    from nas_core.predict import predict as run_predict

    rows = run_predict(model, inputs)
    if json:
        print_json({"predictions": rows})
    else:
        what = "text" if "text" in rows[0] else "image"
        cells = [(row["label"], number(row["probability"]), row[what]) for row in rows]
        print(table(("class", "probability", what), cells))


@command
def export(
    model: Annotated[Path, typer.Argument(help="A .keras file, or a run: its best model.")],
    form: Annotated[
        str, typer.Option("--format", help="keras, tflite, onnx or saved_model.")
    ] = "tflite",
    out: Annotated[
        Path | None, typer.Option(help="File to write; beside the model if none.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Write a retrained model in another program's format.

    Examples:  nas export R2 --format tflite

    nas export R2/models/best.keras --format saved_model --out served/1
    """
    from nas_core.export import export as run_export

    written = run_export(model, form, out)
    if json:
        print_json({"written": str(written)})
    else:
        print(written)


def register(app: typer.Typer) -> None:
    """Add the verbs to the application."""
    app.command()(retrain)
    app.command()(predict)
    app.command()(export)
