"""`nas data`: make, import, check and look at data sets."""

from pathlib import Path
from typing import Annotated

import typer

from nas_core.cli.output import JsonFlag, command, print_json
from nas_core.errors import DataError

app = typer.Typer(no_args_is_help=True, add_completion=False)

Name = Annotated[str, typer.Argument(help="A name (leaves, mnist, ...) or a folder or file.")]


@app.command()
@command
def leaves(
    out: Annotated[Path, typer.Option(help="Folder to make.")] = Path("data/leaves"),
    seed: Annotated[int, typer.Option(help="Seed; the same seed gives the same bytes.")] = 0,
    json: JsonFlag = False,
) -> None:
    """Draw the synthetic leaves: 4,000 images of ten species.

    Examples:  nas data leaves --out data/leaves
    """
    from nas_core.datasets.leaves import write_leaves

    info = write_leaves(out, seed=seed)
    if json:
        print_json({"path": str(info.path), "counts": info.counts, "digest": info.digest})
    else:
        print(f"{info.path}: {sum(info.counts.values())} images, {len(info.classes)} species")


@app.command("import")
@command
def import_(
    source: Annotated[Path, typer.Argument(help="Folder of class folders, a .zip of one, .npz.")],
    out: Annotated[Path, typer.Option(help="Folder to make, such as data/mine.")],
    image_size: Annotated[int | None, typer.Option(help="Side in pixels; 64 for photos.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the split.")] = 0,
    json: JsonFlag = False,
) -> None:
    """Import pictures, resize and split them, and say what was dropped and why.

    Examples:  nas data import photos/ --out data/mine

    nas data import leaves.npz --out data/corn
    """
    from nas_core.datasets import import_dataset

    report = import_dataset(source, out, image_size=image_size, seed=seed)
    if json:
        print_json(
            {
                "path": str(report.info.path),
                "counts": report.info.counts,
                "classes": list(report.info.classes),
                "dropped": report.dropped,
                "digest": report.info.digest,
            }
        )
    else:
        print("\n".join(report.lines()))


@app.command()
@command
def check(data: Name, json: JsonFlag = False) -> None:
    """Check a data set's files and describe what is in it.

    Examples:  nas data check data/mine
    """
    from nas_core.datasets import resolve
    from nas_core.datasets.inspection import check_dataset

    found = check_dataset(resolve(data, Path("data")))
    if json:
        print_json(found)
    else:
        for key, value in found.items():
            print(f"{key}: {value}")
    if not found["ok"]:
        raise DataError(f"expected {data} to be intact, found the problems above: import it again")


@app.command()
@command
def show(
    data: Name,
    out: Annotated[Path, typer.Option(help="Picture to write.")] = Path("contact_sheet.png"),
    per_class: Annotated[int, typer.Option(help="Images of each class.")] = 10,
    json: JsonFlag = False,
) -> None:
    """Draw a contact sheet of training images, a row per class.

    Examples:  nas data show leaves --out leaves.png
    """
    from nas_core.datasets import resolve
    from nas_core.datasets.inspection import contact_sheet

    path = contact_sheet(resolve(data, Path("data")), out, per_class)
    if json:
        print_json({"picture": str(path)})
    else:
        print(path)
