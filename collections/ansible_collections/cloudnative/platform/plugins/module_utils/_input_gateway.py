# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

# Values of the gateway: what its edition needs before anything starts, certificates with their keys, who sets what.

from __future__ import annotations

import json
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._input_finding import Finding, as_integer, listed
from ansible_collections.cloudnative.platform.plugins.module_utils._x509 import CertificateError
from ansible_collections.cloudnative.platform.plugins.module_utils._x509_der import public_key_of, read_certificate

NAMES = (
    "kong_autoscaling_max",
    "kong_certificates",
    "kong_component",
    "kong_configuration",
    "kong_configuration_files",
    "kong_edition",
    "kong_exposure",
    "kong_konnect",
    "kong_licence",
    "kong_replicas",
    "kong_settings",
    "kong_workload",
)
# The component of the lock that is the open edition.
OPEN_EDITION = "kong"
KONNECT = ("control_plane", "telemetry", "certificate", "key")
CERTIFICATE = ("names", "certificate", "key")
# What the role sets because the rest of it relies on it: ports, files, who may reach the Admin API.
RESERVED = {
    "admin_listen",
    "cluster_cert",
    "cluster_cert_key",
    "cluster_control_plane",
    "database",
    "declarative_config",
    "konnect_mode",
    "license_data",
    "license_path",
    "prefix",
    "proxy_listen",
    "role",
    "status_listen",
}
Values = t.Mapping[str, t.Any]


def check_gateway(values: Values) -> list[Finding]:
    return [*_check_edition(values), *_check_workload(values), *_check_settings(values), *_check_certificates(values)]


def _check_edition(values: Values) -> list[Finding]:
    edition = values.get("kong_edition", "oss")
    if edition not in ("enterprise", "konnect"):
        return []
    findings = []
    if values.get("kong_component", OPEN_EDITION) == OPEN_EDITION:
        problem = f"is the image of the open edition, and kong_edition is {edition}"
        remedy = "add kong/kong-gateway to the lock file and name its component here, or use kong_edition: oss"
        findings.append(Finding("kong_component", OPEN_EDITION, problem, remedy))
    if edition == "enterprise":
        findings += _check_licence(values.get("kong_licence"))
        return findings
    given = values.get("kong_konnect") or {}
    missing = [name for name in KONNECT if not (isinstance(given, dict) and given.get(name))]
    if missing:
        problem = f"needs credentials of Konnect, and kong_konnect has no {listed(missing)}"
        findings.append(Finding("kong_edition", edition, problem, "give what Konnect shows for a new data plane"))
    for name in ("kong_configuration", "kong_configuration_files", "kong_certificates"):
        if values.get(name):
            problem = "is not used with kong_edition konnect, whose configuration comes from Konnect"
            findings.append(Finding(name, None, problem, "configure it in Konnect, and leave this out"))
    return findings


def _check_licence(licence: t.Any) -> list[Finding]:
    if not licence:
        problem = "starts read-only and without configuration when it has no licence, and kong_licence is empty"
        return [Finding("kong_edition", "enterprise", problem, "give the text of license.json, or use oss")]
    try:
        content = licence if isinstance(licence, dict) else json.loads(licence)
    except (TypeError, ValueError):
        content = None
    if not isinstance(content, dict) or "license" not in content:
        return [Finding("kong_licence", None, "is no licence of Kong", "give the text of license.json, which is JSON")]
    return []


def _check_workload(values: Values) -> list[Finding]:
    workload = values.get("kong_workload", "Deployment")
    findings = []
    if values.get("kong_exposure") == "hostPort" and workload != "DaemonSet":
        problem = f"is for one pod a node, and kong_workload is {workload}"
        findings.append(Finding("kong_exposure", "hostPort", problem, "use kong_workload: DaemonSet, or NodePort"))
    most, least = as_integer(values.get("kong_autoscaling_max")), as_integer(values.get("kong_replicas"))
    if most and workload != "Deployment":
        problem = "is for a Deployment, a DaemonSet has one pod a node"
        findings.append(Finding("kong_autoscaling_max", most, problem, "use 0, or kong_workload: Deployment"))
    elif most and least is not None and most < least:
        problem = f"is less than kong_replicas, {least}, which is the least"
        findings.append(Finding("kong_autoscaling_max", most, problem, f"use {least} or more, or 0 for none"))
    return findings


def _check_settings(values: Values) -> list[Finding]:
    settings = values.get("kong_settings") or {}
    if not isinstance(settings, dict):
        return []
    return [
        Finding("kong_settings", name, "is set by the role itself", "take it out")
        for name in settings
        if str(name).lower().removeprefix("kong_") in RESERVED
    ]


def _check_certificates(values: Values) -> list[Finding]:
    given = values.get("kong_certificates") or []
    findings: list[Finding] = []
    seen: set[str] = set()
    for number, item in enumerate(given if isinstance(given, list) else []):
        where = f"kong_certificates[{number}]"
        missing = [name for name in CERTIFICATE if not (isinstance(item, dict) and item.get(name))]
        if missing:
            remedy = "give names, certificate and key"
            findings.append(Finding(where, None, f"has no {listed(missing)}", remedy))
            continue
        findings += _check_pair(where, str(item["certificate"]), str(item["key"]))
        names = item["names"] if isinstance(item["names"], list) else []
        for name in names:
            if name in seen:
                problem = "is a host that another certificate names as well"
                findings.append(Finding(f"{where}.names", name, problem, "take it out of one of them"))
            seen.add(name)
    return findings


def _check_pair(where: str, certificate_pem: str, key_pem: str) -> list[Finding]:
    """The texts never show: one is secret, the other one is long."""
    try:
        certificate = read_certificate(certificate_pem)
    except CertificateError as error:
        return [Finding(f"{where}.certificate", None, f"is not a certificate: {error}", "give its text in PEM")]
    try:
        public_key = public_key_of(key_pem)
    except CertificateError as error:
        remedy = "give its text in PEM, without passphrase"
        return [Finding(f"{where}.key", None, f"is not a private key that can be used: {error}", remedy)]
    # Of some curves the public half can't be told from the private one; Kong says then whether they fit.
    if public_key is not None and public_key != certificate.public_key:
        problem = "is not the key of the certificate beside it"
        return [Finding(f"{where}.key", None, problem, f"give the one of {certificate.subject}")]
    return []
