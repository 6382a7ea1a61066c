"""`nas data`: make, import, check and look at data sets; copy them to S3 and back."""

from pathlib import Path
from typing import Annotated

import typer

from nas_core.cli.output import JsonFlag, command, print_json, table
from nas_core.errors import DataError, UsageError

app = typer.Typer(no_args_is_help=True, add_completion=False)

Name = Annotated[str, typer.Argument(help="A name (leaves, mnist, ...), folder, file or s3://.")]
Owner = Annotated[
    str | None,
    typer.Option(help="Account that owns the bucket; NAS_BUCKET_OWNER or your own if unset."),
]
Region = Annotated[str | None, typer.Option(help="AWS region; the environment's if unset.")]


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
    source: Annotated[
        Path, typer.Argument(help="Folder of class folders, a .zip of one, .npz; .csv of texts.")
    ],
    out: Annotated[Path, typer.Option(help="Folder to make, such as data/mine.")],
    image_size: Annotated[int | None, typer.Option(help="Side in pixels; 64 for photos.")] = None,
    words: Annotated[int | None, typer.Option(help="Of texts: most words; 8000.")] = None,
    length: Annotated[int | None, typer.Option(help="Of texts: words kept of each.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the split.")] = 0,
    json: JsonFlag = False,
) -> None:
    """Import pictures or texts, split them, and say what was dropped and why.

    Texts come as a table (.csv, .tsv, either with .gz) with columns text, label and maybe split.

    Examples:  nas data import photos/ --out data/mine

    nas data import leaves.npz --out data/corn

    nas data import reviews.csv.gz --out data/reviews
    """
    from nas_core.datasets import import_dataset
    from nas_core.datasets.texts import TextOptions

    given = {"words": words, "length": length}
    chosen = {key: value for key, value in given.items() if value is not None}
    text = TextOptions(**chosen) if chosen else None
    report = import_dataset(source, out, image_size=image_size, seed=seed, text=text)
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
    out: Annotated[
        Path | None, typer.Option(help="Picture to write; contact_sheet.png if unset.")
    ] = None,
    per_class: Annotated[int, typer.Option(help="Images or texts of each class.")] = 10,
    json: JsonFlag = False,
) -> None:
    """Draw a contact sheet of training images, a row per class; of texts, print some.

    Examples:  nas data show leaves --out leaves.png
    """
    from nas_core.datasets import contact_sheet, resolve, sample_texts

    info = resolve(data, Path("data"))
    if info.kind == "text":
        if out is not None:
            raise UsageError(f"expected no --out for texts, received {out}: they are printed")
        samples = sample_texts(info, per_class)
        if json:
            print_json({"texts": samples})
        else:
            print(table(("class", "text"), [(row["class"], row["text"]) for row in samples]))
        return
    path = contact_sheet(info, Path("contact_sheet.png") if out is None else out, per_class)
    if json:
        print_json({"picture": str(path)})
    else:
        print(path)


@app.command("table")
@command
def table_(
    source: Annotated[Path, typer.Argument(help="JSON, .json.gz or npz of a published table.")],
    space: Annotated[str, typer.Option(help="nasbench201, nasbench_macro, or table for your own.")],
    out: Annotated[Path, typer.Option(help="File to write, .npz.")],
    json: JsonFlag = False,
) -> None:
    """Check a published table and write it as npz, which is read faster.

    Examples:  nas data table nas-bench-macro_cifar10.json --space nasbench_macro --out macro.npz
    """
    from nas_core.tables.convert import convert_table

    found = convert_table(source, space, out)
    if json:
        print_json(found)
    else:
        print(f"{out}: {found['architectures']} architectures, {', '.join(found['columns'])}")


@app.command()
@command
def push(
    data: Name,
    address: Annotated[str, typer.Argument(help="Its place, s3://bucket/prefix.")],
    owner: Owner = None,
    region: Region = None,
    kms_key: Annotated[str | None, typer.Option(help="Key that encrypts it there.")] = None,
    json: JsonFlag = False,
) -> None:
    """Copy a data set to S3; repeat it after an interruption and it goes on.

    Examples:  nas data push data/leaves s3://bucket/leaves
    """
    from nas_core.cloud.address import S3Address
    from nas_core.cloud.client import s3
    from nas_core.cloud.datasets import push as push_dataset
    from nas_core.datasets import resolve

    target = S3Address.parse(address)
    found = push_dataset(
        resolve(data, Path("data")).path, target, s3(region, owner, kms_key=kms_key)
    )
    if json:
        print_json(found)
    else:
        print(f"{target}: {found['bytes'] / 1e6:.1f} MB, {found['sent']} files sent")


@app.command()
@command
def pull(
    address: Annotated[str, typer.Argument(help="Where it is, s3://bucket/prefix.")],
    out: Annotated[Path, typer.Argument(help="Folder to make, such as data/mine.")],
    owner: Owner = None,
    region: Region = None,
    json: JsonFlag = False,
) -> None:
    """Copy a data set from S3; repeat it after an interruption and it goes on.

    Examples:  nas data pull s3://bucket/leaves data/leaves
    """
    from nas_core.cloud.address import S3Address
    from nas_core.cloud.client import s3
    from nas_core.cloud.datasets import pull as pull_dataset

    info = pull_dataset(S3Address.parse(address), out, s3(region, owner))
    if json:
        print_json({"path": str(info.path), "counts": info.counts, "digest": info.digest})
    else:
        print(f"{info.path}: {sum(info.counts.values())} examples, {len(info.classes)} classes")
