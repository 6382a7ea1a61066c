"""`nas retrain` and `nas predict`: from the best specifications to models that classify."""

from pathlib import Path
from typing import Annotated, Any

import typer

from nas_core.cli.output import JsonFlag, command, number, print_json, say, table


@command
def retrain(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    top: Annotated[int, typer.Option(help="How many of the best architectures.")] = 3,
    seeds: Annotated[int, typer.Option(help="Trainings of each, with different seeds.")] = 1,
    epochs: Annotated[int | None, typer.Option(help="Epochs; the final recipe's number.")] = None,
    data: Annotated[str | None, typer.Option(help="Another data set than the run's.")] = None,
    workers: Annotated[int | None, typer.Option(help="Trainings at a time.")] = None,
    json: JsonFlag = False,
) -> None:
    """Retrain the best architectures on all data, test them once, save the models.

    Examples:  nas retrain R2 --top 3 --seeds 2
    """
    from nas_core.retrain import retrain as run_retrain

    outcome = run_retrain(
        run, top=top, seeds=seeds, epochs=epochs, data=data, workers=workers, on_line=say
    )
    if json:
        print_json(outcome)
    else:
        _print_outcome(outcome)


def _spread(values: list[float]) -> str:
    from statistics import fmean, stdev

    spread = f" ± {stdev(values):.4f}" if len(values) > 1 else ""
    return f"{fmean(values):.4f}{spread}" if values else "failed"


def _print_outcome(outcome: dict[str, Any]) -> None:
    rows = [
        (
            number(row["search_score"], 4),
            _spread(row["validation_accuracy"]),
            _spread(row["test_accuracy"]),
            row["text"],
        )
        for row in [*outcome["architectures"], outcome["baseline"]]
    ]
    print(table(("search", "validation", "test", "architecture (last: a plain CNN)"), rows))
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
        print(f"\nmodels: {' '.join(models)}\nnext: nas predict {models[0]} PICTURE...")


@command
def predict(
    model: Annotated[Path, typer.Argument(help="A .keras file that nas retrain saved.")],
    images: Annotated[list[Path], typer.Argument(help="Pictures, or folders of pictures.")],
    json: JsonFlag = False,
) -> None:
    """Classify pictures with a retrained model.

    Examples:  nas predict R2/models/best.keras photo1.jpg photo2.jpg
    """
    from nas_core.predict import predict as run_predict

    rows = run_predict(model, images)
    if json:
        print_json({"predictions": rows})
    else:
        cells = [(row["label"], number(row["probability"]), row["image"]) for row in rows]
        print(table(("class", "probability", "picture"), cells))


def register(app: typer.Typer) -> None:
    """Add the verbs to the application."""
    app.command()(retrain)
    app.command()(predict)
