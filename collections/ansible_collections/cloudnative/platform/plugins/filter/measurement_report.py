# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: measurement_report
short_description: Make one report of what was measured on many hosts
version_added: 0.1.0
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
description:
  - Puts the results of M(cloudnative.platform.host_measure) of all hosts into one table for people and one dictionary
    for programs.
options:
  _input:
    description: Results of the module by host.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what was measured
  ansible.builtin.debug:
    msg: "{{ {'worker1': measured} | cloudnative.platform.measurement_report }}"
"""

RETURN = r"""
_value:
  description:
    - C(summary), a sentence; C(table), its lines; C(missed), the number of figures that miss their bounds; and
      C(hosts), with C(findings), C(figures) and C(seconds) for each host.
  type: dict
"""

import typing as t

_COLUMNS = ("host", "figure", "value", "bound", "verdict")


def measurement_report(results: t.Mapping[str, t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    rows, notes, verdicts = [], [], []
    for host, result in results.items():
        for finding in result["findings"]:
            what = f"{finding['figure']} {finding['subject']}"
            # Why a figure is unknown is too long for a column.
            value = "-" if finding["verdict"] == "unknown" else finding["value"]
            rows.append((host, what, value, finding["bound"], finding["verdict"]))
            verdicts.append(finding["verdict"])
            if finding["verdict"] != "ok":
                notes.append(f"{host}, {finding['text']}")
    missed, unknown = verdicts.count("missed"), verdicts.count("unknown")
    return {
        "summary": f"hosts: {len(results)}, figures: {len(verdicts)}, missed: {missed}, unknown: {unknown}",
        "missed": missed,
        "table": [*_aligned(rows), *notes],
        "hosts": {
            host: {
                "findings": result["findings"],
                "figures": result["ansible_facts"]["platform_measurements"],
                "seconds": result["seconds"],
            }
            for host, result in results.items()
        },
    }


def _aligned(rows: t.Iterable[tuple[str, ...]]) -> list[str]:
    rows = [_COLUMNS, *rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"measurement_report": measurement_report}
