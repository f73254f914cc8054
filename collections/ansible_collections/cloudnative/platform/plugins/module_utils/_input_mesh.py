# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

# Values of the mesh: its control plane, its certificates, who may call whom.

from __future__ import annotations

import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._input_finding import Finding, as_integer, listed
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import callgraph
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.control_plane import (
    NAMESPACE,
    RESERVED,
    SERVICE_NAMES,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KumaError, Problems
from ansible_collections.cloudnative.platform.plugins.module_utils._x509 import CertificateError
from ansible_collections.cloudnative.platform.plugins.module_utils._x509_der import public_key_of, read_certificate

# Kubernetes
NAMES = (
    "kuma_autoscaling_max",
    "kuma_call_graph",
    "kuma_certificate",
    "kuma_certificate_days",
    "kuma_certificate_renew_before_days",
    "kuma_images",
    "kuma_mesh",
    "kuma_namespaces",
    "kuma_network_plugin",
    "kuma_network_policies",
    "kuma_redirection",
    "kuma_replicas",
    "kuma_settings",
    "network_plugin",
)
IMAGES = ("control_plane", "data_plane", "init", "cni")
CERTIFICATE = ("ca", "certificate", "key")
# Namespaces whose pods the webhooks never look at.
NEVER_INJECTED = ("kube-system", NAMESPACE)
Values = t.Mapping[str, t.Any]


def check_mesh(values: Values) -> list[Finding]:
    return [
        *_check_control_plane(values),
        *_check_redirection(values),
        *_check_namespaces(values),
        *_check_certificate(values),
        *_check_graph(values),
    ]


def _check_control_plane(values: Values) -> list[Finding]:
    findings = []
    most, least = as_integer(values.get("kuma_autoscaling_max")), as_integer(values.get("kuma_replicas"))
    if most and least is not None and most < least:
        problem = f"is less than kuma_replicas, {least}, which is the least"
        findings.append(Finding("kuma_autoscaling_max", most, problem, f"use {least} or more, or 0 for none"))
    settings = values.get("kuma_settings") or {}
    for name in settings if isinstance(settings, dict) else []:
        if name in RESERVED:
            findings.append(Finding("kuma_settings", name, "is set by the role itself", "take it out"))
        elif not str(name).startswith("KUMA_"):
            remedy = "use names as the control plane has them, such as KUMA_GENERAL_RESILIENT_COMPONENT_BASE_BACKOFF"
            findings.append(Finding("kuma_settings", name, "is no setting of Kuma's control plane", remedy))
    images = values.get("kuma_images")
    missing = [name for name in IMAGES if isinstance(images, dict) and not images.get(name)]
    if missing:
        remedy = f"name a component for each of {listed(IMAGES)}"
        findings.append(Finding("kuma_images", None, f"has no {listed(missing)}", remedy))
    return findings


def _check_redirection(values: Values) -> list[Finding]:
    plugin = values.get("kuma_network_plugin") or values.get("network_plugin") or "calico"
    findings = []
    if values.get("kuma_redirection") == "cni" and plugin not in ("calico", "flannel"):
        problem = f"is chained behind calico or flannel, and the network's plugin is {plugin}"
        findings.append(
            Finding("kuma_redirection", "cni", problem, "use init, or name the plugin in kuma_network_plugin")
        )
    if values.get("kuma_network_policies") is True and plugin == "flannel":
        problem = "needs a network that enforces policies, and flannel does not"
        findings.append(Finding("kuma_network_policies", True, problem, "use false, or network_plugin: calico"))
    return findings


def _check_namespaces(values: Values) -> list[Finding]:
    given = values.get("kuma_namespaces") or []
    return [
        Finding("kuma_namespaces", name, "is a namespace whose pods never get a sidecar", "take it out")
        for name in (given if isinstance(given, list) else [])
        if name in NEVER_INJECTED
    ]


def _check_certificate(values: Values) -> list[Finding]:
    findings = []
    days, before = (as_integer(values.get(f"kuma_certificate_{name}")) for name in ("days", "renew_before_days"))
    # What one of them is when it is not given, is what the role says.
    days, before = (365 if days is None else days), (90 if before is None else before)
    if before >= days:
        problem = f"would renew a certificate of {days} days with every run"
        remedy = "use less than kuma_certificate_days"
        findings.append(Finding("kuma_certificate_renew_before_days", before, problem, remedy))
    given = values.get("kuma_certificate")
    if not given or not isinstance(given, dict):
        return findings
    missing = [name for name in CERTIFICATE if not given.get(name)]
    if missing:
        return [
            *findings,
            Finding("kuma_certificate", None, f"has no {listed(missing)}", f"give {listed(CERTIFICATE)}"),
        ]
    return [*findings, *_check_pair(str(given["certificate"]), str(given["key"]))]


def _check_pair(certificate_pem: str, key_pem: str) -> list[Finding]:
    """The texts never show: one is secret, the other one is long."""
    try:
        certificate = read_certificate(certificate_pem)
    except CertificateError as error:
        return [Finding("kuma_certificate.certificate", None, f"is not a certificate: {error}", "give its text in PEM")]
    try:
        public_key = public_key_of(key_pem)
    except CertificateError as error:
        remedy = "give its text in PEM, without passphrase"
        return [Finding("kuma_certificate.key", None, f"is not a private key that can be used: {error}", remedy)]
    findings = []
    if public_key is not None and public_key != certificate.public_key:
        problem = "is not the key of the certificate beside it"
        findings.append(Finding("kuma_certificate.key", None, problem, f"give the one of {certificate.subject}"))
    unnamed = sorted(set(SERVICE_NAMES) - certificate.names)
    if unnamed:
        problem = f"is not for {listed(unnamed)}, by which the API server and sidecars call the control plane"
        findings.append(Finding("kuma_certificate.certificate", None, problem, "issue it for these names as well"))
    return findings


def _check_graph(values: Values) -> list[Finding]:
    """A path is read by the module."""
    graph = values.get("kuma_call_graph")
    if not graph or not isinstance(graph, dict):
        return []
    try:
        callgraph.read(graph, str(values.get("kuma_mesh") or "default"))
    except Problems as problems:
        return [Finding("kuma_call_graph", None, str(one), "correct it") for one in problems.problems]
    except KumaError as error:
        return [Finding("kuma_call_graph", None, str(error), "correct it")]
    return []
