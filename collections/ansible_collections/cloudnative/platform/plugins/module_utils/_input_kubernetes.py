# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

# What Kubernetes would refuse: labels, taints, flags, mounts, keys. Said before the first host is touched, not by a
# kubelet that does not start.

from __future__ import annotations

import base64
import binascii
import re
import typing as t
from collections.abc import Mapping

from ansible_collections.cloudnative.platform.plugins.module_utils._input_finding import close_to, is_dns_name, listed
from ansible_collections.cloudnative.platform.plugins.module_utils._input_forms import Fault, Form, is_absolute

_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?\Z")
_FLAG = re.compile(r"[a-z0-9][a-z0-9-]*\Z")
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
TAINT_KEYS = ("key", "value", "effect", "timeAdded")
VOLUME_KEYS = ("name", "hostPath", "mountPath", "readOnly", "pathType")
PATH_TYPES = (*("", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"),)
ENCRYPTION_KEY_BYTES = 32
# The kubelet sets these itself, and sets them back.
KUBELET_LABELS = frozenset(
    {
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/os",
        "kubernetes.io/arch",
        "kubernetes.io/hostname",
        "kubernetes.io/os",
    }
)
AUDIT_LEVELS = ("None", "Metadata", "Request", "RequestResponse")


def key_fault(key: str, what: str) -> tuple[str, str] | None:
    prefix, slash, name = key.rpartition("/")
    if slash and not is_dns_name(prefix):
        return f"is not a {what} key: {prefix!r} is not a DNS name", "write it like example.org/rack"
    if not _NAME.match(name):
        return (
            f"is not a {what} key",
            "use at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit, e.g. rack",
        )
    return None


def judge_labels(labels: Mapping[str, t.Any]) -> list[Fault]:
    faults = []
    for key, value in labels.items():
        at, wrong = f".{key}", key_fault(str(key), "label")
        if wrong:
            faults.append(Fault(*wrong, at, str(key)))
        elif key in KUBELET_LABELS:
            faults.append(Fault("is a label that the kubelet sets itself", "take it out", at, str(key)))
        if isinstance(value, bool):
            faults.append(Fault("is not text, YAML took it for true or false", 'write "true" in quotes', at, value))
        elif isinstance(value, (Mapping, list, tuple)) or value is None:
            faults.append(Fault("is not a label value", 'write text; "" for none', at))
        elif str(value) and not _NAME.match(str(value)):
            faults.append(
                Fault(
                    "is not a label value",
                    "use at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit",
                    at,
                    value,
                )
            )
    return faults


def judge_taint(taint: t.Any) -> list[Fault]:
    if not isinstance(taint, Mapping):
        return [Fault("is not a taint", "write it like {key: dedicated, value: gpu, effect: NoSchedule}")]
    faults = unknown_keys(taint, TAINT_KEYS)
    if not taint.get("key"):
        faults.append(Fault("has no key", "write it like {key: dedicated, value: gpu, effect: NoSchedule}"))
    else:
        wrong = key_fault(str(taint["key"]), "taint")
        faults += [Fault(*wrong, ".key", taint["key"])] if wrong else []
    value = taint.get("value")
    if isinstance(value, bool) or (value not in (None, "") and not _NAME.match(str(value))):
        faults.append(
            Fault("is not a taint value", "use letters, digits, '-', '_' and '.', in quotes", ".value", value)
        )
    effect = taint.get("effect")
    if effect not in EFFECTS:
        hint = close_to(str(effect), {word.lower(): word for word in EFFECTS}) if effect else ""
        for word in EFFECTS:
            hint = hint.replace(word.lower(), word)
        faults.append(
            Fault("is not an effect of a taint", f"{hint} valid: {', '.join(EFFECTS)}".strip(), ".effect", effect)
        )
    return faults


def judge_flags(flags: Mapping[str, t.Any]) -> list[Fault]:
    """Flags of a component by name; a list gives a flag several times, null takes one out."""
    faults = []
    for name, value in flags.items():
        at = f".{name}"
        if not _FLAG.match(str(name)):
            better = re.sub(r"[^a-z0-9]+", "-", str(name).lower()).strip("-")
            faults.append(Fault("is not the name of a flag", f"write it without leading --: {better}", at, str(name)))
        values = value if isinstance(value, (list, tuple)) else [value]
        if any(isinstance(item, (Mapping, list, tuple)) for item in values):
            faults.append(Fault("is not the value of a flag", "give text, a list of texts, or null to take it out", at))
    return faults


def judge_volume(volume: t.Any) -> list[Fault]:
    if not isinstance(volume, Mapping):
        return [Fault("is not a mount", "write it like {name: policy, hostPath: /etc/x, mountPath: /etc/x}")]
    faults = unknown_keys(volume, VOLUME_KEYS)
    faults += [
        Fault("is missing", "give it: text", f".{key}")
        for key in ("name", "hostPath", "mountPath")
        if not volume.get(key)
    ]
    faults += [
        Fault("is not an absolute path", "begin it with /", f".{key}", volume[key])
        for key in ("hostPath", "mountPath")
        if volume.get(key) and not is_absolute(volume[key])
    ]
    kind = volume.get("pathType")
    if kind is not None and kind not in PATH_TYPES:
        hint = close_to(str(kind), PATH_TYPES)
        valid = ", ".join(word for word in PATH_TYPES if word)
        faults.append(Fault("is not a type of path", f"{hint} valid: {valid}".strip(), ".pathType", kind))
    return faults


def unknown_keys(value: Mapping[str, t.Any], known: t.Sequence[str]) -> list[Fault]:
    return [
        Fault("is not a known key", f"{close_to(str(key), known)} known: {listed(known)}".strip(), f".{key}", str(key))
        for key in value
        if key not in known
    ]


def judge_audit_policy(policy: Mapping[str, t.Any]) -> list[Fault]:
    """The head and the levels; the API server reads the rest, and says where it stands."""
    if not policy:
        return []
    faults = [
        Fault("is not that of an audit policy", f"write {key}: {wanted}", f".{key}", policy.get(key))
        for key, wanted in (("apiVersion", "audit.k8s.io/v1"), ("kind", "Policy"))
        if policy.get(key) != wanted
    ]
    rules = policy.get("rules")
    if not isinstance(rules, (list, tuple)) or not rules:
        return [*faults, Fault("has no list of rules", "write at least one, e.g. [{level: Metadata}]")]
    for number, rule in enumerate(rules):
        level = rule.get("level") if isinstance(rule, Mapping) else None
        if level not in AUDIT_LEVELS:
            remedy = f"{close_to(str(level), AUDIT_LEVELS)} valid: {', '.join(AUDIT_LEVELS)}".strip()
            faults.append(Fault("is not a level", remedy, f".rules[{number}].level", level))
    return faults


def judge_encryption_key(value: t.Any) -> list[Fault]:
    remedy = f"make one with: head -c {ENCRYPTION_KEY_BYTES} /dev/urandom | base64"
    try:
        key = base64.b64decode(str(value), validate=True)
    except (binascii.Error, ValueError):
        return [Fault("is not base64", remedy)]
    if len(key) != ENCRYPTION_KEY_BYTES:
        return [Fault(f"is {len(key)} bytes long, not {ENCRYPTION_KEY_BYTES}", remedy)]
    return []


LABELS = Form("labels of a node", judge_labels)
TAINT = Form("a taint of a node", judge_taint)
AUDIT_POLICY = Form("a Policy of audit.k8s.io/v1, or nothing", judge_audit_policy)
FLAGS = Form("flags of a component", judge_flags)
VOLUME = Form("kubeadm's HostPathMount", judge_volume)
ENCRYPTION_KEY = Form("32 bytes in base64", judge_encryption_key)
