# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

# Values of the gateway: what its edition needs before anything starts, certificates with their keys, who sets what.

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._input_finding import Finding, as_integer, listed
from ansible_collections.cloudnative.platform.plugins.module_utils._x509 import CertificateError
from ansible_collections.cloudnative.platform.plugins.module_utils._x509_der import public_key_of, read_certificate

NAMES = (
    "kong_autoscaling_max",
    "kong_certificate_days",
    "kong_certificate_renew_days",
    "kong_certificates",
    "kong_component",
    "kong_configuration",
    "kong_configuration_files",
    "kong_database",
    "kong_edition",
    "kong_exposure",
    "kong_konnect",
    "kong_licence",
    "kong_package",
    "kong_package_checksum",
    "kong_prometheus",
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
# What kong_database says, beginning with the name.
DATABASE_SETTING = "pg_"
# Name of the package, as the file is called -> what it is.
PACKAGES = {"kong": "oss", "kong-enterprise-edition": "enterprise"}
Values = t.Mapping[str, t.Any]


def check_gateway(values: Values) -> list[Finding]:
    return [*_check_edition(values), *_check_workload(values), *_check_settings(values), *_check_configuration(values)]


def check_gateway_on_hosts(values: Values) -> list[Finding]:
    """Of a host that is a gateway itself."""
    return [
        *_check_database(values),
        *_check_package(values),
        *_check_credentials(values),
        *_check_settings(values),
        *_check_configuration(values),
    ]


def is_used(values: Values) -> bool:
    """Whether there is a gateway, in the cluster or on hosts."""
    return "kong" in (values.get("platform_addons") or []) or is_on_hosts(values)


def is_on_hosts(values: Values) -> bool:
    return bool(values.get("kong_database") or values.get("kong_package"))


def _check_database(values: Values) -> list[Finding]:
    database, edition = values.get("kong_database") or {}, values.get("kong_edition", "oss")
    if edition == "konnect":
        problem = "is not used with kong_edition konnect, which has no database"
        return [Finding("kong_database", None, problem, "leave it out")] if database else []
    if not database:
        remedy = "give host, name, user and password of a PostgreSQL database"
        return [Finding("kong_database", None, "is empty, and gateways on hosts share a database", remedy)]
    findings = []
    if isinstance(database, dict):
        for name in ("host", "password"):
            if not database.get(name):
                findings.append(Finding(f"kong_database.{name}", None, "is missing", "say it"))
        for name in ("ssl_verify", "ca"):
            if database.get("ssl") is False and database.get(name):
                problem = "has no meaning without encryption, and ssl is false"
                findings.append(Finding(f"kong_database.{name}", None, problem, "use ssl: true, or leave this out"))
    settings = values.get("kong_settings") or {}
    for name in settings if isinstance(settings, dict) else ():
        if str(name).lower().removeprefix("kong_").startswith(DATABASE_SETTING):
            findings.append(Finding("kong_settings", name, "is what kong_database says", "say it there"))
    return findings


def _check_package(values: Values) -> list[Finding]:
    package, edition = str(values.get("kong_package") or ""), values.get("kong_edition", "oss")
    if not package:
        return []
    findings = []
    file = package.rpartition("/")[2]
    if not file.endswith(".deb"):
        findings.append(Finding("kong_package", package, "is no Debian package", "name a file that ends with .deb"))
    if re.match("https?://", package) and not values.get("kong_package_checksum"):
        problem = "is fetched by the hosts, and kong_package_checksum does not say what it has to be"
        findings.append(Finding("kong_package", package, problem, "give the SHA-256 that its publisher names"))
    found = PACKAGES.get(file.partition("_")[0])
    wanted = "oss" if edition == "oss" else "enterprise"
    if found is not None and found != wanted:
        problem = f"is the {'open' if found == 'oss' else 'enterprise'} edition, and kong_edition is {edition}"
        remedy = "name the package kong-enterprise-edition" if wanted == "enterprise" else "name the package kong"
        findings.append(Finding("kong_package", package, problem, remedy))
    return findings


def _check_edition(values: Values) -> list[Finding]:
    edition = values.get("kong_edition", "oss")
    if edition not in ("enterprise", "konnect"):
        return []
    findings = []
    if values.get("kong_component", OPEN_EDITION) == OPEN_EDITION:
        problem = f"is the image of the open edition, and kong_edition is {edition}"
        remedy = "add kong/kong-gateway to the lock file and name its component here, or use kong_edition: oss"
        findings.append(Finding("kong_component", OPEN_EDITION, problem, remedy))
    return findings + _check_credentials(values)


def _check_credentials(values: Values) -> list[Finding]:
    edition = values.get("kong_edition", "oss")
    if edition not in ("enterprise", "konnect"):
        return []
    findings: list[Finding] = []
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


def _check_configuration(values: Values) -> list[Finding]:
    return [*_check_certificates(values), *_check_days(values), *_check_prometheus(values)]


def _check_days(values: Values) -> list[Finding]:
    days = as_integer(values.get("kong_certificate_days"))
    before = as_integer(values.get("kong_certificate_renew_days"))
    if days is None or before is None or before < days:
        return []
    problem = f"is not less than kong_certificate_days, {days}: every run would issue each certificate again"
    return [Finding("kong_certificate_renew_days", before, problem, "use less, a month before the end for example")]


def _check_prometheus(values: Values) -> list[Finding]:
    """The plugin of the role and one of the user's own; in files the module finds it, and names kong_prometheus."""
    configuration = values.get("kong_configuration")
    plugins = configuration.get("plugins") if isinstance(configuration, dict) else None
    if values.get("kong_prometheus") is False or not isinstance(plugins, list):
        return []
    scopes = ("service", "route", "consumer")
    return [
        Finding(
            f"kong_configuration.plugins[{number}]",
            "prometheus",
            "is the plugin that kong_prometheus adds for everything",
            "use kong_prometheus: false and keep yours, or take yours out",
        )
        for number, plugin in enumerate(plugins)
        if isinstance(plugin, dict) and plugin.get("name") == "prometheus" and not any(map(plugin.get, scopes))
    ]


def _check_certificates(values: Values) -> list[Finding]:
    given = values.get("kong_certificates") or []
    findings: list[Finding] = []
    seen: set[str] = set()
    for number, item in enumerate(given if isinstance(given, list) else []):
        where = f"kong_certificates[{number}]"
        # With names alone the platform's own authority issues it.
        issued = isinstance(item, dict) and not {"certificate", "key"} & set(item)
        wanted = CERTIFICATE[:1] if issued else CERTIFICATE
        missing = [name for name in wanted if not (isinstance(item, dict) and item.get(name))]
        if missing:
            remedy = "give names, certificate and key, or names alone for a certificate of the platform's own authority"
            findings.append(Finding(where, None, f"has no {listed(missing)}", remedy))
            continue
        if not issued:
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
