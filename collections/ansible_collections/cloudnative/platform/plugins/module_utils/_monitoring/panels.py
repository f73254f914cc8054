# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The parts that dashboards are made of, in Grafana's JSON (schema v1), and the queries that are in such JSON. Pure."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

Panel = dict[str, t.Any]

COLUMNS = 24
# The format of dashboards that Grafana 10 and later read without a change.
SCHEMA_VERSION = 39

GREEN, YELLOW, RED, BLUE = "green", "yellow", "red", "blue"

# Of the functions of Grafana's Prometheus data source for variables, the one that we use.
_LABEL_VALUES = re.compile(r"label_values\((?P<series>.*),\s*\w+\)\Z", re.DOTALL)
_BUILT_IN = {"__rate_interval": "5m", "__interval": "1m", "__range": "1h"}


@dataclass(frozen=True)
class Variable:
    """A choice at the top of a dashboard, of what a label of some series has for values; several at once, or all."""

    name: str
    title: str
    series: str
    label: str


@dataclass(frozen=True)
class Dashboard:
    uid: str
    title: str
    description: str
    rows: t.Sequence[tuple[str, t.Sequence[Panel]]]
    variables: t.Sequence[Variable] = field(default_factory=tuple)


def stat(
    title: str, query: str, unit: str = "none", steps: t.Sequence[tuple[float, str]] = (), width: int = 4
) -> Panel:
    """One number; *steps* are the colours from values on, below the first one it is green."""
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value",
        "graphMode": "area",
    }
    return _panel("stat", title, {"": query}, unit, width, 4, options, {}, steps)


def bars(
    title: str, query: str, legend: str, unit: str, steps: t.Sequence[tuple[float, str]], width: int = 12
) -> Panel:
    """One bar for each series."""
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "orientation": "horizontal",
        "displayMode": "basic",
    }
    return _panel("bargauge", title, {legend: query}, unit, width, 8, options, {}, steps)


def graph(
    title: str,
    query: str | t.Mapping[str, str],
    legend: str = "",
    unit: str = "short",
    width: int = 12,
    stacked: bool = False,
    maximum: float | None = None,
) -> Panel:
    """Series over time, of one query with its legend, or of several by their legends."""
    queries = {legend: query} if isinstance(query, str) else query
    custom: dict[str, t.Any] = {"fillOpacity": 30 if stacked else 5, "showPoints": "never"}
    if stacked:
        custom["stacking"] = {"mode": "normal", "group": "A"}
    defaults: dict[str, t.Any] = {"custom": custom, "min": 0}
    if maximum is not None:
        defaults["max"] = maximum
    options = {
        "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return _panel("timeseries", title, queries, unit, width, 8, options, defaults, ())


def among(matchers: str) -> t.Callable[[str], str]:
    """Return a function that puts *matchers* into every selector with braces of a query."""
    return lambda query: re.sub(r"\{(\}?)", lambda match: f"{{{matchers}" + (match[1] or ","), query)


def per_second(series: str, *labels: str) -> str:
    grouped = f"sum by ({', '.join(labels)}) " if labels else "sum"
    return f"{grouped}(rate({series}[$__rate_interval]))"


def quantile(share: float, series: str, *labels: str) -> str:
    return f"histogram_quantile({share}, {per_second(series, 'le', *labels)})"


def p99(series: str, *labels: str) -> str:
    return quantile(0.99, series, *labels)


def _panel(
    kind: str,
    title: str,
    queries: t.Mapping[str, str],
    unit: str,
    width: int,
    height: int,
    options: dict[str, t.Any],
    defaults: dict[str, t.Any],
    steps: t.Sequence[tuple[float, str]],
) -> Panel:
    colours = [{"color": GREEN, "value": None}, *({"color": colour, "value": value} for value, colour in steps)]
    targets = [
        {"refId": chr(ord("A") + number), "expr": query, "legendFormat": legend or "__auto"}
        for number, (legend, query) in enumerate(queries.items())
    ]
    return {
        "type": kind,
        "title": title,
        "gridPos": {"w": width, "h": height},
        "options": options,
        "fieldConfig": {
            "defaults": {**defaults, "unit": unit, "thresholds": {"mode": "absolute", "steps": colours}},
            "overrides": [],
        },
        "targets": targets,
    }


def render(dashboard: Dashboard, datasource: str, refresh: str, since: str) -> dict[str, t.Any]:
    source = {"type": "prometheus", "uid": datasource}
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": ["cloudnative.platform"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": refresh,
        "time": {"from": since, "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_variable(variable, source) for variable in dashboard.variables]},
        "annotations": {"list": []},
        "links": [
            {
                "type": "dashboards",
                "title": "Platform",
                "tags": ["cloudnative.platform"],
                "asDropdown": True,
                "includeVars": False,
                "keepTime": True,
            }
        ],
        "panels": list(_placed(dashboard.rows, source)),
    }


def _variable(variable: Variable, source: dict[str, str]) -> dict[str, t.Any]:
    query = f"label_values({variable.series}, {variable.label})"
    return {
        "type": "query",
        "name": variable.name,
        "label": variable.title,
        "datasource": source,
        "definition": query,
        "query": {"query": query, "refId": variable.name},
        # When the time changes too, so that hosts that are gone can be looked at.
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }


def _placed(rows: t.Iterable[tuple[str, t.Sequence[Panel]]], source: dict[str, str]) -> t.Iterator[Panel]:
    """Panels from left to right and from top to bottom, under the title of their row."""
    top = number = 0
    for title, panels in rows:
        number += 1
        place = {"x": 0, "y": top, "w": COLUMNS, "h": 1}
        yield {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": place, "panels": []}
        top, left, height = top + 1, 0, 0
        for panel in panels:
            number += 1
            size = panel["gridPos"]
            if left + size["w"] > COLUMNS:
                top, left, height = top + height, 0, 0
            targets = [{**target, "datasource": source} for target in panel["targets"]]
            yield {
                **panel,
                "id": number,
                "datasource": source,
                "targets": targets,
                "gridPos": {**size, "x": left, "y": top},
            }
            left, height = left + size["w"], max(height, size["h"])
        top += height


def queries(dashboard: t.Mapping[str, t.Any], values: t.Mapping[str, str] | None = None) -> list[str]:
    """Return every PromQL expression of a dashboard's JSON, each of which should find something.

    Variables are replaced by what stands for all, or by *values*. The series that the choices come from are there too.
    """
    choices = dashboard["templating"]["list"]
    known = {**_BUILT_IN, **{choice["name"]: choice["allValue"] for choice in choices}, **(values or {})}
    found = []
    for choice in choices:
        match = _LABEL_VALUES.match(choice["query"]["query"])
        if not match:
            raise ValueError(f"the query of variable {choice['name']} is no label_values(series, label)")
        found.append(match["series"])
    found += [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    return list(dict.fromkeys(_replaced(expression, known) for expression in found))


def _replaced(expression: str, values: t.Mapping[str, str]) -> str:
    # The $1 of label_replace is no variable: names of those begin with a letter or an underscore.
    return re.sub(r"\$(\w*[A-Za-z_]\w*)|\$\{(\w+)\}", lambda match: values[match[1] or match[2]], expression)
