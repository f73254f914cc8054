# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

# Values of the mesh on hosts: what data planes are called and listen on, certificates with their keys, tokens.

from __future__ import annotations

import json
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._input_certificates import judge_authority
from ansible_collections.cloudnative.platform.plugins.module_utils._input_finding import (
    Finding,
    as_integer,
    is_dns_label,
    is_dns_name,
    listed,
)

PORTS = (
    "kuma_hosts_api_port",
    "kuma_hosts_api_tls_port",
    "kuma_hosts_dataplane_port",
    "kuma_hosts_diagnostics_port",
)
NAMES = (
    *PORTS,
    "kuma_dataplane_token_hours",
    "kuma_dataplane_token_renew_hours",
    "kuma_dataplane_transparent_proxy",
    "kuma_dataplanes",
    "kuma_hosts_ca_key_pem",
    "kuma_hosts_ca_pem",
    "kuma_hosts_certificate_days",
    "kuma_hosts_certificate_key_pem",
    "kuma_hosts_certificate_pem",
    "kuma_hosts_certificate_renew_days",
    "kuma_hosts_postgres_ca_pem",
    "kuma_hosts_postgres_password",
    "kuma_hosts_postgres_tls_mode",
    "kuma_hosts_settings",
)
# What the role sets because the rest of it relies on it: who may reach the API, where the certificate is.
RESERVED = (
    ("apiServer", "authn"),
    ("apiServer", "http"),
    ("apiServer", "https"),
    ("dpServer", "port"),
    ("environment",),
    ("general", "tlsCertFile"),
    ("general", "tlsKeyFile"),
    ("general", "workDir"),
    ("store",),
)
# The first data plane of a host is asked here whether it is ready; each further one has the next two ports.
READINESS_PORT = 9902
TRANSPARENT_PORTS = {15001: "the transparent proxy", 15006: "the transparent proxy"}
Values = t.Mapping[str, t.Any]


def check_mesh_hosts(values: Values, now: int) -> list[Finding]:
    return [
        *_check_certificates(values, now),
        *_check_periods(values),
        *_check_database(values),
        *_check_ports(values),
        *_check_settings(values),
        *_check_dataplanes(values),
    ]


def _check_certificates(values: Values, now: int) -> list[Finding]:
    certificate, key = (str(values.get(f"kuma_hosts_certificate_{name}") or "") for name in ("pem", "key_pem"))
    authority = str(values.get("kuma_hosts_ca_pem") or "")
    if bool(certificate) != bool(key):
        names = ("kuma_hosts_certificate_pem", "kuma_hosts_certificate_key_pem")
        given, missing = names if certificate else names[::-1]
        return [Finding(given, None, f"is given without {missing}", "they belong together, give both or none")]
    if certificate and not authority:
        problem = "is given without kuma_hosts_ca_pem, so data planes can't check it"
        remedy = "give the certificate of the authority that has signed it as well"
        return [Finding("kuma_hosts_certificate_pem", None, problem, remedy)]
    if certificate and not values.get("kuma_hosts_ca_key_pem"):
        return []
    return judge_authority(values, "kuma_hosts_ca_pem", "kuma_hosts_ca_key_pem", now)


def _check_periods(values: Values) -> list[Finding]:
    findings = []
    for whole, before, thing in (
        ("kuma_hosts_certificate_days", "kuma_hosts_certificate_renew_days", "certificate"),
        ("kuma_dataplane_token_hours", "kuma_dataplane_token_renew_hours", "token"),
    ):
        long, early = as_integer(values.get(whole)), as_integer(values.get(before))
        if long is not None and early is not None and early >= long:
            problem = f"is not less than {whole}, {long}: every run would issue a {thing}"
            remedy = f"use a number between 1 and {long - 1}, or a larger {whole}"
            findings.append(Finding(before, early, problem, remedy))
    return findings


def _check_database(values: Values) -> list[Finding]:
    findings = []
    mode = values.get("kuma_hosts_postgres_tls_mode")
    # The default is no mistake as long as nobody has control planes on hosts.
    used = bool(values.get("kuma_hosts_postgres_password"))
    if used and mode in ("verifyFull", "verifyCa") and not values.get("kuma_hosts_postgres_ca_pem"):
        problem = "needs certificates to check the server against, and kuma_hosts_postgres_ca_pem is empty"
        remedy = "give the certificate of the server's authority, or use verifyNone where the network is trusted"
        findings.append(Finding("kuma_hosts_postgres_tls_mode", mode, problem, remedy))
    if "\n" in str(values.get("kuma_hosts_postgres_password") or ""):
        problem = "has a line break, which systemd can't hand over"
        findings.append(Finding("kuma_hosts_postgres_password", None, problem, "use a password of one line"))
    return findings


def _check_ports(values: Values) -> list[Finding]:
    findings: list[Finding] = []
    taken: dict[int, str] = {}
    for name in PORTS:
        port = as_integer(values.get(name))
        if port is None:
            continue
        if port in taken:
            problem = f"is already taken by {taken[port]} on the same host"
            findings.append(Finding(name, port, problem, "use another port"))
        taken.setdefault(port, name)
    return findings


def _check_settings(values: Values) -> list[Finding]:
    findings = []
    for path in RESERVED:
        found: t.Any = values.get("kuma_hosts_settings")
        for part in path:
            found = found.get(part) if isinstance(found, dict) else None
        if found is not None:
            where = ".".join(path)
            remedy = "take it out; database, ports and certificates have variables of their own"
            findings.append(Finding("kuma_hosts_settings", where, "is set by the role itself", remedy))
    return findings


def _check_dataplanes(values: Values) -> list[Finding]:
    given = values.get("kuma_dataplanes")
    dataplanes = [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []
    transparent = bool(values.get("kuma_dataplane_transparent_proxy"))
    findings: list[Finding] = []
    if transparent and len(dataplanes) > 1:
        names = listed(str(item.get("name")) for item in dataplanes)
        problem = "is for one data plane a host, which gets all of its traffic"
        remedy = f"use explicit outbounds, or move all but one of {names}"
        findings.append(Finding("kuma_dataplane_transparent_proxy", True, problem, remedy))
    seen: set[tuple[str, str]] = set()
    taken: dict[int, str] = dict(TRANSPARENT_PORTS) if transparent else {}
    for number in range(len(dataplanes)):
        taken[READINESS_PORT + 2 * number] = taken[READINESS_PORT + 2 * number + 1] = "a data plane itself"
    for number, item in enumerate(dataplanes):
        where = f"kuma_dataplanes[{number}]"
        findings += _check_names(where, item)
        key = (str(item.get("mesh") or "default"), str(item.get("name")))
        if key in seen:
            findings.append(Finding(f"{where}.name", key[1], "is the name of another one", "give each its own name"))
        seen.add(key)
        findings += _check_listeners(where, item, taken)
    return findings


def _check_names(where: str, item: Values) -> list[Finding]:
    findings = []
    name, workload = item.get("name"), item.get("workload")
    if name is not None and not is_dns_name(str(name)):
        remedy = "use lower-case letters, digits, '-' and '.'"
        findings.append(Finding(f"{where}.name", name, "is not a name of a data plane", remedy))
    if workload is not None and not (is_dns_label(str(workload)) and str(workload)[:1].isalpha()):
        remedy = "use lower-case letters, digits and '-', a letter first"
        findings.append(Finding(f"{where}.workload", workload, "is not a name of a workload (RFC 1035)", remedy))
    if "{{" in json.dumps(item, default=str):
        problem = "has {{ in it, which kuma-dp takes for a variable of its own"
        findings.append(Finding(where, None, problem, "write the value out"))
    for label in item.get("labels") or {}:
        if str(label).startswith("kuma.io/"):
            problem = "is a label that Kuma or the role sets"
            remedy = "use workload for it" if label == "kuma.io/workload" else "take it out"
            findings.append(Finding(f"{where}.labels", label, problem, remedy))
    return findings


def _check_listeners(where: str, item: Values, taken: dict[int, str]) -> list[Finding]:
    """Inbounds listen on the host's address, outbounds on loopback unless they say otherwise; one port, one owner."""
    findings = []
    for side in ("inbound", "outbound"):
        listeners = item.get(side) or []
        for number, listener in enumerate(listeners if isinstance(listeners, list) else []):
            port = as_integer(listener.get("port")) if isinstance(listener, dict) else None
            if port is None or (side == "outbound" and listener.get("address")):
                continue
            here = f"{where}.{side}[{number}].port"
            if port in taken:
                problem = f"is already taken by {taken[port]} on the same host"
                findings.append(Finding(here, port, problem, "use another port"))
            taken.setdefault(port, here)
    return findings
