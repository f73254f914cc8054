# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What tasks of a run in check mode would change, gathered into one report. Pure."""

from __future__ import annotations

import difflib
import json
import typing as t

FORMAT = 1
WORD = "ERROR"
NONE, DRIFT, ERROR = "none", "drift", "error"
SEE = "see the other errors"
#: sentences of one area that the table shows; the report has all of them
TABLE_ACTIONS = 10

Result = t.Mapping[str, t.Any]
Entry = dict[str, t.Any]


class DriftError(Exception):
    """The input of a report is not usable; the message names it."""


def unified(entry: t.Any, path: str = "") -> str:
    """One entry of a task's diff, in any of the forms that Ansible knows, as text; *path* where it names none."""
    if not isinstance(entry, t.Mapping):
        return ""
    if entry.get("prepared"):
        return str(entry["prepared"]).rstrip("\n") + "\n"
    names = [str(entry.get(f"{side}_header") or path) for side in ("before", "after")]
    before, after = _lines(entry.get("before")), _lines(entry.get("after"))
    text = "".join(difflib.unified_diff(before, after, names[0], names[1], "now", "wanted"))
    if not text and any(entry.get(key) for key in ("dst_binary", "src_binary", "dst_larger", "src_larger")):
        return f"{names[0] or names[1]}: the content differs\n"
    return text


def _lines(side: t.Any) -> list[str]:
    if side is None:
        return []
    if isinstance(side, t.Mapping):
        side = "".join(f"{key}: {value}\n" for key, value in sorted(side.items()))
    elif not isinstance(side, str):
        side = json.dumps(side, indent=2, sort_keys=True, default=str) + "\n"
    lines = side.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n\\ No newline at end of file\n"
    return lines


def diff_of(result: Result) -> str:
    entries = result.get("diff") or []
    if isinstance(entries, t.Mapping):
        entries = [entries]
    path = str(result.get("dest") or result.get("path") or "")
    return "".join(unified(entry, path) for entry in entries)


def actions_of(result: Result) -> list[str]:
    """Sentences of a result; a module that has none of its own is told by what it writes."""
    actions = result.get("actions") or []
    if isinstance(actions, t.Mapping):
        actions = [f"{where}: {action}" for where, found in actions.items() for action in found]
    actions = [str(action) for action in actions]
    missing = result.get("missing_packages")
    if missing:
        actions.append(f"install packages: {', '.join(missing)}")
    if not actions and result.get("changed"):
        actions.append(f"change {result.get('dest') or result.get('path') or 'what the diff shows'}")
    return actions


def reason_of(result: Result) -> str:
    return str(result.get("msg") or "the task failed without a message")


def judge(
    area: Result, result: Result, explain: t.Callable[[Result], str] = reason_of
) -> tuple[Entry | None, Entry | None]:
    """What a registered result says: drift, an error, neither or (of a task that failed half way) both."""
    where = {"role": area["role"], "area": area["area"]}
    broken = result.get("unreachable") or result.get("failed")
    error = None
    if broken:
        error = {**where, "message": explain(result).strip()}
    actions = actions_of(result)
    if not actions or (broken and not result.get("actions")):
        return None, error
    diff = "" if area.get("secret") else diff_of(result)
    return {**where, "actions": actions, "diff": diff}, error


def parts_of(result: Result) -> list[Result]:
    """A result, or those of each round of a loop."""
    rounds = result.get("results")
    parts = rounds if isinstance(rounds, list) and all(isinstance(one, t.Mapping) for one in rounds) else [result]
    # What was skipped was not looked at.
    return [part for part in parts if not part.get("skipped")]


def status_of(drift: t.Sequence[t.Any], errors: t.Sequence[t.Any]) -> str:
    return ERROR if errors else DRIFT if drift else NONE


def _noted(notes: t.Iterable[Result], known: t.Sequence[Entry]) -> list[Entry]:
    """What a rescue noted, without what the result of a registered task has told already."""
    errors: list[Entry] = []
    for note in notes:
        message = str(note.get("message") or "").strip() or f"it was not compared any further; {SEE}"
        if not any(message == error["message"] for error in (*known, *errors)):
            errors.append({"role": "", "area": str(note.get("task") or ""), "message": message})
    return errors


def report(
    areas: t.Sequence[Result],
    hosts: t.Sequence[str],
    variables: t.Mapping[str, t.Mapping[str, t.Any]],
    time: str,
    platform: Result,
    ended: t.Collection[str] = (),
    notes: t.Sequence[Result] = (),
    explain: t.Callable[[Result], str] = reason_of,
) -> Entry:
    """The report.

    *areas* name the variables that tasks registered: `role`, `area`, `result`, and where they hold `scope: cluster`
    (the task runs once for all hosts) and `secret` (its diff is not shown). *variables* are those of each host, of
    which `drift_notes` and `drift_cluster_notes` are read too: why a part of the run ended early. *notes* are more of
    the latter, *ended* the hosts that Ansible itself took out of the run; with `drift_compared`, when all was compared.
    """
    own = [area for area in areas if area.get("scope", "host") == "host"]
    shared = [area for area in areas if area.get("scope") == "cluster"]
    if len(own) + len(shared) != len(areas):
        raise DriftError("the scope of an area must be host or cluster")
    cluster = _cluster([variables[host] for host in hosts], shared, notes, explain)
    found = []
    for host in hosts:
        registered = [(area, variables[host][area["result"]]) for area in own if area["result"] in variables[host]]
        results = [(area, part) for area, result in registered for part in parts_of(result)]
        judged = [judge(area, result, explain) for area, result in results]
        lost = any(result.get("unreachable") for _area, result in results)
        early = host in ended and "drift_compared" not in variables[host]
        found.append(_host(host, judged, variables[host], lost, early, cluster["errors"]))
    drift = [entry for one in (*found, cluster) for entry in one["drift"]]
    errors = [error for one in (*found, cluster) for error in one["errors"]]
    return {
        "format": FORMAT,
        "time": time,
        "platform": dict(platform),
        "status": status_of(drift, errors),
        "totals": {
            "hosts": len(found),
            "hosts_with_drift": sum(bool(one["drift"]) for one in found),
            "hosts_with_errors": sum(bool(one["errors"]) for one in found),
            "actions": sum(len(entry["actions"]) for entry in drift),
            "errors": len(errors),
        },
        "cluster": cluster,
        "hosts": found,
    }


def _host(
    name: str,
    judged: t.Sequence[tuple[Entry | None, Entry | None]],
    variables: t.Mapping[str, t.Any],
    lost: bool,
    ended: bool,
    known: t.Sequence[Entry],
) -> Entry:
    drift = [entry for entry, _error in judged if entry]
    errors = [error for _entry, error in judged if error]
    if not lost:
        # What fails on a host after the connection was lost says nothing of the host.
        errors += _noted(variables.get("drift_notes") or [], [*errors, *known])
    if not errors and not judged:
        errors.append({"role": "", "area": "", "message": f"it was not compared; {SEE}"})
    elif not errors and ended:
        # Of a task that runs once for all hosts, the others know only that it failed.
        errors.append({"role": "", "area": "", "message": f"it was not compared any further; {SEE}"})
    return {"name": name, "status": status_of(drift, errors), "drift": drift, "errors": errors}


def _cluster(
    variables: t.Sequence[t.Mapping[str, t.Any]],
    areas: t.Sequence[Result],
    notes: t.Sequence[Result],
    explain: t.Callable[[Result], str],
) -> Entry:
    """What tasks found that run once for all hosts: each host has the same result, of which one is told."""
    drift, errors = [], []
    for area in areas:
        results = [parts_of(one[area["result"]]) for one in variables if area["result"] in one]
        for result in next((parts for parts in results if parts), []):
            entry, error = judge(area, result, explain)
            drift += [entry] if entry else []
            errors += [error] if error else []
    notes = [*notes, *(note for one in variables for note in one.get("drift_cluster_notes") or [])]
    # Hosts other than the one that ran the task note that it failed, but not why.
    errors += _noted([note for note in notes if note.get("message")] or notes, errors)
    return {"status": status_of(drift, errors), "drift": drift, "errors": errors}


def headline(found: Result) -> str:
    totals = found["totals"]
    changes = _count(totals["actions"], "change")
    if found["status"] == ERROR:
        return f"the state could not be determined ({_count(totals['errors'], 'error')}); drift found so far: {changes}"
    if found["status"] == DRIFT:
        where = " and in the cluster" if found["cluster"]["drift"] else ""
        return f"drift: {changes}, on {totals['hosts_with_drift']} of {_count(totals['hosts'], 'host')}{where}"
    return f"no drift on {_count(totals['hosts'], 'host')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def problems(found: Result) -> list[str]:
    """The errors of a report as short lines, after a headline."""
    return [headline(found), *_aligned(row for row in _rows(found) if row[1] == WORD)]


def table(found: Result) -> list[str]:
    """The report as short lines: a headline, then one for each sentence."""
    return [headline(found), *_aligned(_rows(found))]


def _rows(found: Result) -> t.Iterator[tuple[str, str, str]]:
    # The cluster first: wrong input is the reason for all that follows.
    for name, one in [("cluster", found["cluster"]), *((host["name"], host) for host in found["hosts"])]:
        for error in one["errors"]:
            where = " ".join(filter(None, (error["role"], error["area"] and f"({error['area']})")))
            lines = str(error["message"]).splitlines() or [""]
            yield name, WORD, f"{where}: {lines[0]}" if where else lines[0]
            yield from ((name, WORD, f"  {line.strip()}") for line in lines[1:])
        for entry in one["drift"]:
            yield from ((name, entry["role"], action) for action in entry["actions"][:TABLE_ACTIONS])
            more = len(entry["actions"]) - TABLE_ACTIONS
            if more > 0:
                yield name, entry["role"], f"… and {more} more"


def _aligned(rows: t.Iterable[tuple[str, str, str]]) -> list[str]:
    rows = list(rows)
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    return [f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}" for row in rows]
