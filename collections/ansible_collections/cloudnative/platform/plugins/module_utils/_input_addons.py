# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

# Values of the add-ons: which there are, what they store, what they promise.

from __future__ import annotations

import difflib
import re
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils import _input_gateway as gateway
from ansible_collections.cloudnative.platform.plugins.module_utils import _input_mesh as mesh
from ansible_collections.cloudnative.platform.plugins.module_utils._input_finding import Finding, listed
from ansible_collections.cloudnative.platform.plugins.module_utils._monitoring.slos import SloError, parse

ADDONS = ("storage", "monitoring", "kuma", "kong")
NAMES = (
    *gateway.NAMES,
    *mesh.NAMES,
    "monitoring_prometheus_volume",
    "monitoring_retention_size",
    "monitoring_slos",
    "monitoring_storage_class",
    "platform_addons",
    "storage_expands",
    "storage_provider",
)
Values = t.Mapping[str, t.Any]


def check_addons(values: Values, _around: object) -> list[Finding]:
    """Judge what the add-ons' variables say together."""
    findings = [*_check_names(values), *_check_storage(values), *_check_slos(values), *_check_retention(values)]
    if "kong" in (values.get("platform_addons") or []):
        findings += gateway.check_gateway(values)
    if gateway.is_on_hosts(values):
        findings += gateway.check_gateway_on_hosts(values)
    if "kuma" in (values.get("platform_addons") or []):
        findings += mesh.check_mesh(values)
    return findings


def _check_names(values: Values) -> list[Finding]:
    chosen = values.get("platform_addons") or []
    if not isinstance(chosen, list):
        return [Finding("platform_addons", chosen, "is no list", f"use a list of {listed(ADDONS)}")]
    findings = []
    for name in chosen:
        if name not in ADDONS:
            close = difflib.get_close_matches(str(name), ADDONS, n=1)
            remedy = f"did you mean {close[0]}?" if close else f"use one of {listed(ADDONS)}"
            findings.append(Finding("platform_addons", name, "is no add-on", remedy))
    if "monitoring" in chosen and "storage" not in chosen and values.get("monitoring_storage_class") == "":
        findings.append(
            Finding(
                "platform_addons",
                "monitoring",
                "needs volumes, and no add-on makes them",
                "add storage, name a class in monitoring_storage_class, or set that to none",
            )
        )
    return findings


def _check_storage(values: Values) -> list[Finding]:
    if values.get("storage_provider") == "local-path" and values.get("storage_expands") is True:
        problem = "holds for no volume of storage_provider local-path"
        return [Finding("storage_expands", True, problem, "use false, or storage_provider: external")]
    return []


def _check_retention(values: Values) -> list[Finding]:
    """Prometheus deletes by size only what it knows of; a volume that is smaller than that fills up."""
    size, volume = (_bytes(values.get(name)) for name in ("monitoring_retention_size", "monitoring_prometheus_volume"))
    if size is None or volume is None or size < volume or values.get("monitoring_storage_class") == "none":
        return []
    problem = f"does not fit into monitoring_prometheus_volume {values['monitoring_prometheus_volume']}"
    remedy = "keep less, at most about 80 % of the volume, or make the volume larger"
    return [Finding("monitoring_retention_size", values["monitoring_retention_size"], problem, remedy)]


def _bytes(text: t.Any) -> float | None:
    """Of 8GB as Prometheus counts, by 1024, and of 10Gi or 10G as Kubernetes does."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGTPE]?)(B|i)?", str(text))
    if match is None:
        return None
    return float(match[1]) * (1024 if match[3] else 1000) ** " KMGTPE".index(match[2] or " ")


def _check_slos(values: Values) -> list[Finding]:
    try:
        parse(values.get("monitoring_slos") or [])
    except SloError as e:
        return list(e.findings)
    return []
