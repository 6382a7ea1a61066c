"""`nas doctor`: self-tests that a wrong agent cannot pass."""

from typing import TYPE_CHECKING, Annotated

import typer

from nas_core.cli.output import JsonFlag, command, print_json, say, table

if TYPE_CHECKING:
    from nas_core.doctor import Finding


@command
def doctor(
    agent: Annotated[
        list[str] | None,
        typer.Option(help="An agent's name, or module:Class of your own; all if unset."),
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Test agents on small problems with known answers, and the machine; seconds each.

    Your own agent is made as Class(space, seed), or Class(space, seed, trials, preset).

    Examples:  nas doctor

    nas doctor --agent reinforce --agent my_agents:Mine
    """
    from nas_core.doctor import Verdict, examine_agent, examine_machine
    from nas_core.doctor.subject import subject
    from nas_core.registry import names

    subjects = [subject(name) for name in (names("nas.agents") if agent is None else agent)]
    found = {}
    for one in subjects:
        say(f"examining {one.name}")
        found[one.name] = examine_agent(one)
    if agent is None:
        say("examining this machine")
        found["machine"] = examine_machine()
    healthy = all(f.verdict is not Verdict.FAILED for rows in found.values() for f in rows)
    if json:
        rows = {name: [finding.to_json() for finding in given] for name, given in found.items()}
        print_json({"healthy": healthy, "findings": rows})
    else:
        _print(found, healthy)
    raise typer.Exit(0 if healthy else 1)


def _print(found: "dict[str, list[Finding]]", healthy: bool) -> None:
    rows = [
        (name, finding.check, finding.verdict.value, finding.bug, finding.message)
        for name, findings in found.items()
        for finding in findings
    ]
    print(table(("examined", "check", "verdict", "mistake", "what was seen"), rows))
    print("\nhealthy" if healthy else "\nnot healthy: see the mistakes above")


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command()(doctor)
