# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Whether a mesh may go to another version of Kuma, what stands against it, and in which order. Pure.

The rules are those of Kuma's own guide: two minor versions at a time at most, control planes before data planes, the
database first; and data planes and zones within two minor versions of their control plane, on the way too.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KINDS, Raw
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.removed import OF_MESH
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.versions import (
    SKEW,
    SUPPORTED,
    is_near,
    numbers,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._wording import listed

Version = tuple[int, ...]
#: How many minor versions a control plane may be taken further in one step.
STEP = 2
#: From that version on keys of attributes in access logs are checked when a policy is written.
_CHECKED_KEYS = (2, 14)
_KEY = re.compile(r"[a-z][a-z0-9]*([._][a-z0-9]+)*\Z")
_LONGEST_NAME = 63
#: From that version on kuma-dp checks the certificate of its control plane; of older lines, from that patch on.
_CHECKED_CERTIFICATE: dict[Version, int] = {(2, 13): 7, (2, 12): 11, (2, 11): 14, (2, 9): 16, (2, 7): 26}


class Content(t.NamedTuple):
    """What has to be looked at besides what `kuma_info` tells anyway."""

    config: Raw
    meshes: t.Sequence[Raw] = ()
    access_logs: t.Sequence[Raw] = ()
    multi_zone_services: t.Sequence[Raw] = ()


def check(target: str, found: Raw, content: Content) -> Raw:
    """`found` is the summary of `kuma_info`."""
    problems: list[str] = []
    warnings: list[str] = []
    ours, wished = numbers(found["version"]), numbers(target)
    if not re.fullmatch(r"\d+\.\d+\.\d+", target):
        problems.append(f"target_version {target!r} is no version, expected one like {SUPPORTED[0]}.{SUPPORTED[1]}.3")
    elif not ours:
        problems.append(
            f"the control plane runs {found['version']!r}, which is no release: nothing is known of its way"
        )
    elif wished != ours:
        problems += _of_versions(ours, wished, found["store"])
    if wished and not problems:
        problems += _of_skew(target, found)
    if wished and ours and wished > ours:
        problems += _of_content(ours, wished, content)
        warnings += _warnings(ours, wished, found, content)
    steps = _steps(target, found) if not problems and wished != ours else []
    return {"target": target, "allowed": not problems, "problems": problems, "warnings": warnings, "steps": steps}


def bare(version: str, environment: str, store: str) -> Raw:
    """`found` where nothing but the version is known."""
    return {
        "version": version,
        "mode": "zone",
        "environment": environment,
        "federated": False,
        "store": store,
        "zones": [],
        "meshes": [],
        "dataplanes": [],
        "offline": [],
    }


def first(target: str) -> Raw:
    """The same where nothing runs yet. What has no version can't be judged."""
    wished = numbers(target)
    problems = list(_of_support(wished)) if wished else []
    return {"target": target, "allowed": not problems, "problems": problems, "warnings": [], "steps": []}


def refusal(made: Raw, version: str, option: str) -> str:
    """What a run says that does not go there; empty when it may. `option` lets it go all the same."""
    if made["allowed"]:
        return ""
    start = f"Kuma {version} runs here and does not go to {made['target']}" if version else f"no Kuma {made['target']}"
    reasons = "; ".join(made["problems"])
    return f"{start}: {reasons}. The control plane was not changed. To go there all the same, set {option}"


def _minor(version: Version) -> str:
    return f"{version[0]}.{version[1]}"


def _of_support(wished: Version) -> t.Iterator[str]:
    if wished[:2] != SUPPORTED:
        yield (
            f"Kuma {_minor(wished)} is outside of the supported range: this collection writes for "
            f"{_minor(SUPPORTED)}.x only"
        )


def _of_versions(ours: Version, wished: Version, store: str) -> t.Iterator[str]:
    yield from _of_support(wished)
    if wished[:2] < ours[:2]:
        database = ", and the database stays as the newer one made it" if store == "postgres" else ""
        yield (
            f"a control plane does not go back from {_minor(ours)} to {_minor(wished)}: resources of the newer version "
            f"would be lost{database}; restore a backup of before the upgrade instead"
        )
    elif wished[0] == ours[0] and wished[1] - ours[1] > STEP:
        yield (
            f"from {_minor(ours)} to {_minor(wished)} is more than {STEP} minor versions: go to "
            f"{ours[0]}.{ours[1] + STEP} first, with all data planes"
        )


def _of_skew(target: str, found: Raw) -> t.Iterator[str]:
    far = [one for one in found["dataplanes"] if one["version"] and not is_near(target, one["version"])]
    if far:
        names = [f"{one['mesh']}/{one['name']} {one['version']}" for one in far]
        yield (
            f"{len(names)} data planes would be more than {SKEW} minor versions from a control plane of {target} "
            f"({listed(names, 5)}): bring them to {found['version']} first"
        )
    zones = [f"{one['name']} {one['version']}" for one in found["zones"] if _is_far(target, one["version"])]
    if zones:
        yield (
            f"zones would be more than {SKEW} minor versions from a global control plane of {target} "
            f"({listed(zones, 5)}): bring their control planes to {found['version']} first"
        )


def _is_far(target: str, version: str) -> bool:
    return bool(version) and not is_near(target, version)


def _of_content(ours: Version, wished: Version, content: Content) -> t.Iterator[str]:
    """What the new version refuses, be it at its start or at the next write."""
    if not ours[:2] < _CHECKED_KEYS <= wished[:2]:
        return
    for policy in content.access_logs:
        keys = sorted(set(_bad_keys(policy.get("spec"))))
        if keys:
            yield (
                f"MeshAccessLog {policy.get('mesh')}/{policy.get('name')} has keys of OpenTelemetry attributes that "
                f"{_minor(_CHECKED_KEYS)} refuses at the next write ({listed(keys, 5)}): a key has lower case letters, "
                "digits, dots and underscores, no placeholder, and does not begin with otel."
            )
    domain = str((content.config.get("dnsServer") or {}).get("domain") or "")
    if domain.startswith("."):
        yield (
            f"dnsServer.domain is {domain!r}, with which a control plane of {_minor(_CHECKED_KEYS)} does not start: "
            f"write {domain.lstrip('.')!r} (KUMA_DNS_SERVER_DOMAIN)"
        )


def _bad_keys(value: t.Any) -> t.Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _bad_keys(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name == "openTelemetry" and isinstance(item, dict):
                keys = (str(one.get("key") or "") for one in item.get("attributes") or [])
                yield from (key for key in keys if not _KEY.match(key) or key.startswith("otel."))
            else:
                yield from _bad_keys(item)


def _warnings(ours: Version, wished: Version, found: Raw, content: Content) -> t.Iterator[str]:
    if found["federated"]:
        yield "this is a zone of a global control plane, which has to have been upgraded before it"
    for one in found["zones"]:
        if found["mode"] == "global" and not one["online"]:
            yield f"zone {one['name']} is offline, so its version is not known"
    if found["offline"]:
        yield f"{len(found['offline'])} data planes are offline, and not told apart by their version: {_some(found)}"
    if _checks_certificates(wished) and not _checks_certificates(ours):
        yield (
            "kuma-dp and kumactl of the new version check the certificate of the control plane: give its authority "
            "to each that was without (--ca-cert-file)"
        )
    if ours[:2] < _CHECKED_KEYS <= wished[:2] and found["environment"] == "universal":
        yield "of several kuma-dp on one host each needs a KUMA_READINESS_PORT of its own; sockets are gone"
    for one in content.multi_zone_services:
        if len(str(one.get("name"))) > _LONGEST_NAME:
            yield f"the name of MeshMultiZoneService {one.get('name')} has more than {_LONGEST_NAME} letters"
    yield from _gone_in_3(found, content)


def _some(found: Raw) -> str:
    return listed(found["offline"], 5)


def _checks_certificates(version: Version) -> bool:
    newest = max(_CHECKED_CERTIFICATE)
    return version[:2] > newest or version[2] >= _CHECKED_CERTIFICATE.get(version[:2], version[2] + 1)


def _gone_in_3(found: Raw, content: Content) -> t.Iterator[str]:
    """Not in the way yet; whoever reads this now is not surprised then."""
    for mesh in found["meshes"]:
        for name, count in sorted(mesh["policies"].items()):
            if count and name in KINDS and KINDS[name].instead:
                yield f"mesh {mesh['name']} has {count} {name}, gone in Kuma 3.0: write {KINDS[name].instead} instead"
    for body in content.meshes:
        for name, instead in OF_MESH.items():
            if body.get(name):
                yield f"mesh {body.get('name')} has {name}, gone in Kuma 3.0: write {instead} instead"


def _steps(target: str, found: Raw) -> list[str]:
    steps = []
    if found["store"] == "postgres":
        steps.append(f"back up the database, then run kuma-cp migrate up of {target} once")
    if found["environment"] == "kubernetes":
        steps.append(f"apply the custom resource definitions of {target}")
    steps.append(f"bring the control planes to {target}, one after another")
    if found["mode"] == "global":
        steps.append(f"bring the control planes of the zones to {target}")
    what = "restart the pods that have a sidecar" if found["environment"] == "kubernetes" else "restart each kuma-dp"
    steps.append(f"bring the data planes to {target}: {what}")
    return steps
