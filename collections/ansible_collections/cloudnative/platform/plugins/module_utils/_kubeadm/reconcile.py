# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a running node has to change so that it is what the settings say: pure functions, no input or output.

What a node should have is what kubeadm itself writes for it (:mod:`render`), so the comparison is one of texts; only
what kubeadm writes differently on the node that began a cluster is carried over from what is there.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.cloudnative.platform.plugins.module_utils._kubeadm import state

MANIFEST_DIR = "/etc/kubernetes/manifests"
KUBELET_DIR = "/var/lib/kubelet"
KUBELET_FLAGS = f"{KUBELET_DIR}/kubeadm-flags.env"
SERVING_CERTIFICATE = "/etc/kubernetes/pki/apiserver.crt"
#: which member began the cluster is etcd's own affair: it reads these flags before its first start only
ETCD_KEPT = ("--initial-cluster", "--initial-cluster-state")
#: taints are given when a node registers; ``kubeadm init`` gives them in another way than ``kubeadm join``
KUBELET_KEPT = ("--register-with-taints",)

SOURCE_ANNOTATION = "cloudnative.platform/source"
CONTENT_ANNOTATION = "cloudnative.platform/content-sha256"
FAILURE_ANNOTATION = "cloudnative.platform/failed-change"

Files = t.Mapping[str, str]


@dataclass(frozen=True)
class Change:
    """One component that has to change.

    * ``component``: its name, as in the manifest; ``kubelet``, or ``certificate`` for the API server's;
    * ``text``: the sentence for people;
    * ``files``: path → content to write;
    * ``restart``: ``manifest`` (the kubelet sees the new manifest), ``container`` (what the component reads changes,
      its manifest does not), ``unit`` (the kubelet itself) or ``none``.
    """

    component: str
    text: str
    files: Files = field(default_factory=dict)
    restart: str = "none"


def manifest_path(component: str) -> str:
    """Return the path of a static pod's manifest."""
    return f"{MANIFEST_DIR}/{component}.yaml"


def _flag_lines(text: str) -> list[str]:
    return re.findall(r"^ +- (--\S.*)$", text, flags=re.MULTILINE)


def carry_over_manifest(wanted: str, found: str, kept: t.Sequence[str]) -> str:
    """Return *wanted* with those flags of *found* whose names are *kept*, in the place of the first of them."""
    own = {flag.partition("=")[0]: flag for flag in _flag_lines(found)}
    lines: list[str] = []
    for line in wanted.splitlines(keepends=True):
        match = re.match(r"( +- )(--[^=\s]+)", line)
        if match and match[2] == kept[0]:
            lines += [f"{match[1]}{own[name]}\n" for name in kept if name in own]
        elif not match or match[2] not in kept:
            lines.append(line)
    return "".join(lines)


def carry_over_flags(wanted: str, found: str, kept: t.Sequence[str]) -> str:
    """Return the kubelet's environment file *wanted* with those flags of *found* whose names are *kept*."""

    def flags(text: str) -> list[str]:
        match = re.search(r'"(.*)"', text)
        return match[1].split() if match else []

    own = [flag for flag in flags(found) if flag.partition("=")[0] in kept]
    result = [flag for flag in flags(wanted) if flag.partition("=")[0] not in kept] + own
    # Order means nothing to the kubelet.
    return found if sorted(flags(found)) == sorted(result) else f'KUBELET_KUBEADM_ARGS="{" ".join(result)}"\n'


def carry_over(wanted: Files, found: Files) -> dict[str, str]:
    """Return the wanted files, with what only this node can know taken from those that it has."""
    result = dict(wanted)
    etcd = manifest_path("etcd")
    if result.get(etcd) and found.get(etcd):
        result[etcd] = carry_over_manifest(result[etcd], found[etcd], ETCD_KEPT)
    if result.get(KUBELET_FLAGS) and found.get(KUBELET_FLAGS):
        result[KUBELET_FLAGS] = carry_over_flags(result[KUBELET_FLAGS], found[KUBELET_FLAGS], KUBELET_KEPT)
    return result


def describe_flags(before: str, after: str) -> str:
    """Say which flags of a manifest change, in words; what is no flag is named as such."""
    old, new = _flag_lines(before), _flag_lines(after)
    words = [f"{flag} goes" for flag in old if flag not in new] + [f"{flag} comes" for flag in new if flag not in old]
    if not before:
        return "its manifest is missing"
    return ", ".join(words) or "its manifest differs in more than flags"


def describe_keys(before: str, after: str) -> str:
    """Say which top-level keys of a YAML document change."""

    def blocks(text: str) -> dict[str, str]:
        return {
            match[1]: match[0] for match in re.finditer(r"^([A-Za-z]\w*):.*(?:\n[ -].*)*", text, flags=re.MULTILINE)
        }

    old, new = blocks(before), blocks(after)
    return ", ".join(sorted(key for key in {*old, *new} if old.get(key) != new.get(key)))


def plan(
    wanted: Files, found: Files, policy: Files, kubelet_stale: bool, names: tuple[t.Sequence[str], t.Sequence[str]]
) -> list[Change]:
    """Return the changes of a node, in the order in which they are made.

    *wanted* are the files as kubeadm writes them and *policy* those that the API server reads, both by path; *found* is
    what is there, an empty text where there is no file. *kubelet_stale* says that the kubelet started before its
    configuration was written. *names* are those of the API server's certificate: wanted, found (control planes).
    """
    wanted = carry_over(wanted, found)
    changes: list[Change] = []
    if set(names[0]) != set(names[1]):
        changes.append(_certificate(names[0], names[1]))
    for component in state.MANIFESTS:
        path = manifest_path(component)
        files = {path: wanted[path]} if path in wanted and wanted[path] != found.get(path, "") else {}
        words = [describe_flags(found.get(path, ""), wanted[path])] if files else []
        if component == "kube-apiserver":
            read = {name: text for name, text in policy.items() if text != found.get(name, "")}
            words += [f"{name} changes" for name in sorted(read)]
            restart = "manifest" if files else "container"
            # What the new process reads has to be there before its manifest.
            files = {**read, **files}
        else:
            restart = "manifest"
        if files:
            changes.append(Change(component, f"restart {component}: {'; '.join(words)}", files, restart))
    changes += _kubelet(wanted, found, kubelet_stale)
    return changes


def _certificate(wanted: t.Sequence[str], found: t.Sequence[str]) -> Change:
    words = [f"{name} comes" for name in sorted(set(wanted) - set(found))]
    words += [f"{name} goes" for name in sorted(set(found) - set(wanted))]
    return Change("certificate", f"issue the API server's certificate again: {', '.join(words)}")


def _kubelet(wanted: Files, found: Files, stale: bool) -> list[Change]:
    files = {
        path: text for path, text in wanted.items() if path.startswith(KUBELET_DIR) and text != found.get(path, "")
    }
    words = []
    for path in sorted(files):
        keys = describe_keys(found.get(path, ""), files[path]) if path.endswith(".yaml") else ""
        words.append(f"{path} changes" + (f" ({keys})" if keys else ""))
    if stale and not files:
        words.append("its configuration is newer than the process")
    return [Change("kubelet", f"restart the kubelet: {'; '.join(words)}", files, "unit")] if words else []


def diff(changes: t.Sequence[Change], found: Files) -> list[dict[str, str]]:
    """Return what changes in files, as Ansible shows it."""
    return [
        {"before_header": path, "after_header": path, "before": found.get(path, ""), "after": text}
        for change in changes
        for path, text in change.files.items()
    ]


def certificate_names(cluster: dict[str, t.Any], node: dict[str, t.Any]) -> list[str]:
    """Return the names of the API server's certificate, put together as kubeadm does (pkiutil.GetAPIServerAltNames)."""
    services = ipaddress.ip_network(cluster["service_cidr"])
    names = [
        node["name"],
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        f"kubernetes.default.svc.{cluster['dns_domain']}",
        str(services[1]),
        node["address"],
        cluster["api_name"],
        "127.0.0.1",
        "localhost",
        *cluster.get("cert_sans", []),
    ]
    return list(dict.fromkeys(names))


# -- what the cluster stores for nodes to come -------------------------------------------------------------------------


@dataclass(frozen=True)
class Stored:
    """A ConfigMap that kubeadm keeps: the settings it was made from, and whether somebody changed it since."""

    source: str = ""
    intact: bool = False


def content_hash(data: t.Mapping[str, str]) -> str:
    """Return the hash by which a later run sees that a ConfigMap is as kubeadm wrote it."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def source_text(document: dict[str, t.Any]) -> str:
    """Return settings as the text that is kept beside what was made from them."""
    return json.dumps(document, indent=1, sort_keys=True)


def read_stored(config_map: dict[str, t.Any] | None) -> Stored:
    """Return what is known about a ConfigMap of kubeadm's."""
    if not config_map:
        return Stored()
    annotations = config_map["metadata"].get("annotations") or {}
    intact = annotations.get(CONTENT_ANNOTATION) == content_hash(config_map.get("data") or {})
    return Stored(annotations.get(SOURCE_ANNOTATION, ""), intact)


def plan_stored(wanted: t.Mapping[str, str], found: t.Mapping[str, Stored]) -> list[Change]:
    """Return which ConfigMaps have to be written again; *wanted* is source text by name."""
    changes = []
    for name, source in wanted.items():
        stored = found.get(name, Stored())
        if stored.source != source:
            keys = describe_json(stored.source, source)
            changes.append(Change(name, f"write ConfigMap {name}" + (f": {keys}" if keys else "")))
        elif not stored.intact:
            changes.append(Change(name, f"write ConfigMap {name}: it was changed by somebody else"))
    return changes


def describe_json(before: str, after: str) -> str:
    """Say which top-level keys of two JSON documents differ."""
    old, new = json.loads(before or "{}"), json.loads(after)
    return ", ".join(sorted(key for key in {*old, *new} if old.get(key) != new.get(key))) if old else ""


# -- guards: one control plane at a time, and none while the cluster could not bear it --------------------------------


def why_not_etcd(members: t.Sequence[t.Mapping[str, t.Any]], name: str) -> str:
    """Return why the etcd member called *name* must not be restarted now, or an empty text.

    Of three members one may be away. With one or two the moment without quorum cannot be avoided, so all must be well.
    A member that is down already can only gain.
    """
    learners = [member["name"] or member["id"] for member in members if member["learner"]]
    if learners:
        return f"etcd member {', '.join(learners)} is still a learner"
    own = next((member for member in members if member["name"] == name), None)
    if own is None or not own["healthy"]:
        return ""
    others = [member for member in members if member["name"] != name]
    ill = [f"{member['name'] or member['id']} ({member['error']})" for member in others if not member["healthy"]]
    quorum = len(members) // 2 + 1
    healthy = len(others) - len(ill)
    if not ill and len(members) <= 2:
        return ""
    if healthy >= quorum:
        return ""
    return (
        f"without {name} etcd would have {healthy} of {len(members)} members and needs {quorum}; "
        f"not healthy: {', '.join(ill)}"
    )


def why_not_api(reasons: t.Mapping[str, str], name: str) -> str:
    """Return why the API server called *name* must not be restarted now; *reasons* is why each one is not ready."""
    others = {other: reason for other, reason in reasons.items() if other != name}
    if not others or reasons.get(name) or not all(others.values()):
        return ""
    return "no other API server is ready: " + "; ".join(f"{other}: {reason}" for other, reason in others.items())


def why_not_after(failure: str, settings: str, name: str, control_planes: t.Collection[str]) -> str:
    """Return why *name* must not follow: another control plane did not run with these very settings."""
    marker = json.loads(failure or "{}")
    if marker.get("settings") != settings or marker.get("node") == name or marker.get("node") not in control_planes:
        return ""
    return f"{marker['node']} does not run with these settings and was set back: {marker['reason']}"


def failure_text(name: str, settings: str, reason: str) -> str:
    """Return what is left for the other control planes when a change failed on *name*."""
    return json.dumps({"node": name, "settings": settings, "reason": reason.splitlines()[0][:500]})


# -- health ------------------------------------------------------------------------------------------------------------


def probe_address(manifest: str) -> tuple[str, str, int, str]:
    """Return scheme, host, port and path of a static pod's startup probe, as kubeadm writes it."""
    block = re.search(r"^ +startupProbe:\n(?:.*\n)*? +httpGet:\n((?: {8}.*\n)+)", manifest, flags=re.MULTILINE)
    values = dict(re.findall(r"^ +(\w+): (\S+)$", block[1] if block else "", flags=re.MULTILINE))
    port = values.get("port", "")
    if not port.isdigit():
        named = re.search(rf"- containerPort: (\d+)\n +name: {re.escape(port)}$", manifest, flags=re.MULTILINE)
        port = named[1] if named else "0"
    host = values.get("host", "127.0.0.1").strip("\"'")
    return values.get("scheme", "HTTP").lower(), host, int(port), values.get("path", "/")
