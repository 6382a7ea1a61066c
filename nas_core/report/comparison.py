"""The run's agent beside evolution and random search, over many seeds: does it help at all?"""

from typing import Any

from nas_core.report.charts import Frame, band, chart, curve
from nas_core.report.data import ReportData
from nas_core.report.markup import Html, esc, figure, legend, section
from nas_core.report.scales import counted, fitted

COLOURS = ("agent", "c2", "c3")  # of agents in order; random search is grey
RANDOM = "random"


def comparison_section(data: ReportData) -> Html:
    """Return curves with intervals and the verdicts, or why there are none."""
    found = data.comparison
    note, curves = found.get("note"), found.get("curves")
    if note:
        body = f'<p class="note">{esc(note)}</p>'
    elif isinstance(curves, dict):
        body = _verdicts(found) + _figure(found, curves) + _trust(found)
    else:
        body = ""
    return section("comparison", "Does the agent help?", body)


def _verdicts(found: dict[str, Any]) -> str:
    lines = "".join(f"<li>{esc(verdict)}</li>" for verdict in found["verdicts"])
    return f"<ul>{lines}</ul>" if lines else ""


def _figure(found: dict[str, Any], curves: dict[str, Any]) -> Html:
    unit = str(found["metric"]).replace("_", " ")
    settled = found["evaluations"] // 10  # the first few are far below and would flatten the rest
    shown = [
        value for line in curves.values() for side in line.values() for value in side[settled:]
    ]
    frame = Frame(
        "Best so far of each agent, mean over seeds with its interval",
        counted("evaluations", found["evaluations"]),
        fitted(unit, shown),
    )
    colours = _colours(list(curves))
    marks = [_band(frame, curves[name], css, settled) for name, css in colours.items()]
    marks += [_line(frame, name, curves[name], css, settled) for name, css in colours.items()]
    caption = (
        f"The network that each agent would recommend after so many evaluations: mean of "
        f"{found['seeds']} searches with seeds of their own and its 95 % bootstrap interval. The "
        f"same seeds for all; P is the share of them on which an agent is above random search."
    )
    drawn = figure(_title(found), chart(frame, marks), esc(caption), legend(_key(colours)))
    return Html(f'<div class="grid">{drawn}</div>')


def _title(found: dict[str, Any]) -> str:
    where = "the mock" if found["trainer"] == "mock" else "the table"
    return f"Best so far on {found['space']}, scored by {where}"


def _colours(agents: list[str]) -> dict[str, str]:
    """Return each agent's class of colour, random search last, so that it is drawn last."""
    named = [agent for agent in agents if agent != RANDOM]
    return {**dict(zip(named, COLOURS, strict=False)), RANDOM: "control"}


def _key(colours: dict[str, str]) -> list[tuple[str, str]]:
    return [(css, name) for name, css in colours.items()]


def _band(frame: Frame, line: dict[str, list[float]], css: str, first: int) -> str:
    low, high = line["low"], line["high"]
    places = range(first, len(low))
    return band(frame, [(place + 1, low[place], high[place]) for place in places], css)


def _line(frame: Frame, name: str, line: dict[str, list[float]], css: str, first: int) -> str:
    points = [(place + 1.0, value) for place, value in enumerate(line["mean"]) if place >= first]
    return curve(frame, points, css, f"{name}: mean {points[-1][1]:.4f} at the end")


def _trust(found: dict[str, Any]) -> str:
    if not found["trust"]:
        return ""
    words = "No network was trained for this. How far it can be trusted: "
    return f'<p class="note">{esc(words + found["trust"])}.</p>'
