"""Options that a dataclass says once: each is one of the command's, in its place."""

from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from nas_core.cli.grouped import grouped


@dataclass(frozen=True)
class Size:
    depth: Annotated[int, typer.Option(help="Layers.")]
    wide: Annotated[bool, typer.Option("--wide", help="Many filters.")] = False


seen = []
app = typer.Typer()


@app.command()
@grouped("size", Size)
def build(name: str, *, size: Size, seed: int = 3) -> None:
    """Build it."""
    seen.append((name, size, seed))


def run(*arguments):
    return CliRunner().invoke(app, arguments)


def test_the_fields_arrive_as_one_value():
    assert run("net", "--depth", "4", "--wide", "--seed", "5").exit_code == 0
    assert seen.pop() == ("net", Size(4, True), 5)
    assert run("net", "--depth", "4").exit_code == 0
    assert seen.pop() == ("net", Size(4), 3)


def test_a_field_without_a_default_is_required_and_help_keeps_the_place():
    assert run("net").exit_code == 2 and not seen
    text = run("--help").stdout
    assert "Build it." in text
    assert text.index("--depth") < text.index("--wide") < text.index("--seed")
