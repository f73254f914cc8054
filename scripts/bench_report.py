"""What was measured, as a person reads it: on the terminal and in the README. Pure."""

from __future__ import annotations

import typing as t

from bench_figures import BOUNDS, FIGURES, number

#: units by the part of a figure's name that says them; ratios have none
UNITS = {"seconds": "s", "megabytes": "MB", "bytes": "bytes"}


def unit(name: str) -> str:
    return next((shown for word, shown in UNITS.items() if word in name.split("_")), "")


def shown(name: str, value: float) -> str:
    return f"{number(value)} {unit(name)}".rstrip()


def lines(measured: t.Mapping[str, float]) -> list[str]:
    """Each figure with its bound, and whether it keeps it."""
    rows = []
    for name, value in measured.items():
        bound = BOUNDS.get(name)
        verdict = "" if bound is None else f"(at most {number(bound)})" + ("" if value <= bound else "  MISSED")
        rows.append((name, number(value), verdict))
    width = max((len(name) for name, _value, _verdict in rows), default=0)
    return [f"{name:<{width}}  {value:>8}  {verdict}".rstrip() for name, value, verdict in rows]


def readme(results: t.Mapping[str, t.Any] | None) -> str:
    """The figures between the marks of the README."""
    if results is None:
        return "Not measured yet: run `make bench`."
    machine, measured = results["machine"], results["figures"]
    rows = [
        f"Measured on {results['date']}: {machine['cores']} cores for hosts and controller together, "
        f"{machine['memory_gigabytes']} GB, Linux {machine['kernel']}, ansible-core {machine['ansible_core']}.",
        "",
        "| figure | measured | at most |",
        "|---|---|---|",
    ]
    for figure in FIGURES:
        if figure.name in measured:
            bound = "" if figure.bound is None else shown(figure.name, figure.bound)
            rows.append(f"| {figure.text} | {shown(figure.name, measured[figure.name])} | {bound} |")
    rows += ["", "Where the time goes, in seconds:", "", "| run | phases |", "|---|---|"]
    for run, phases in results["phases"].items():
        rows.append(f"| {run} | {', '.join(f'{name} {number(seconds)}' for name, seconds in phases.items())} |")
    return "\n".join(rows)
