# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters of the drift report: what would a run change, and what of that could not be found out."""

from __future__ import annotations

import json
import pathlib
import re
import typing as t

from ansible.errors import AnsibleFilterError
from ansible.utils.unsafe_proxy import wrap_var

from ansible_collections.cloudnative.platform.plugins.filter.host_failure import host_failure
from ansible_collections.cloudnative.platform.plugins.module_utils import _drift

COLLECTION = pathlib.Path(__file__).parents[2]


def collection_version() -> str | None:
    """Of an installed collection by its manifest, of a checkout by its source."""
    manifest, source = COLLECTION / "MANIFEST.json", COLLECTION / "galaxy.yml"
    if manifest.exists():
        return str(json.loads(manifest.read_text())["collection_info"]["version"])
    found = re.search(r"^version:\s*(\S+)", source.read_text(), re.MULTILINE) if source.exists() else None
    return found[1] if found else None


def drift_report(
    areas: list[dict[str, t.Any]],
    hostvars: t.Mapping[str, t.Any],
    hosts: list[str],
    time: str,
    bundle: str | None = None,
    kubernetes: str | None = None,
    ended: list[str] | None = None,
    notes: list[dict[str, t.Any]] | None = None,
) -> t.Any:
    """Gather what tasks registered in check mode into one report."""
    platform = {"version": collection_version(), "bundle": bundle or None, "kubernetes": kubernetes or None}
    try:
        found = _drift.report(areas, hosts, hostvars, time, platform, ended or [], notes or [], host_failure)
    except _drift.DriftError as error:
        raise AnsibleFilterError(str(error)) from error
    # Files of hosts may hold what older releases of ansible-core take for templates.
    return wrap_var(found)


def drift_table(report: dict[str, t.Any]) -> t.Any:
    """Return a report as short lines for people."""
    return wrap_var(_drift.table(report))


def drift_determined(report: dict[str, t.Any], problem: str = "") -> bool:
    """Return true, or raise where a report does not tell the whole state."""
    if problem:
        raise AnsibleFilterError(f"the drift report could not be made: {problem}")
    if report["status"] == _drift.ERROR:
        raise AnsibleFilterError("\n".join(_drift.problems(report)))
    return True


class FilterModule:
    """Filters of the drift report."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "drift_determined": drift_determined,
            "drift_report": drift_report,
            "drift_table": drift_table,
        }
