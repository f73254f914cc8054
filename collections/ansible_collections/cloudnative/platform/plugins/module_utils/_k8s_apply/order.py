# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The order in which objects are sent. Pure."""

from __future__ import annotations

import enum
import itertools
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.definitions import Definition


class Rank(enum.IntEnum):
    """What must be there before what; objects of one rank don't need each other."""

    CRD = 0
    NAMESPACE = 1
    CLUSTER = 2
    ACCOUNT = 3
    RBAC = 4
    CONFIG = 5
    WORKLOAD = 6
    REST = 7
    HOOK = 8


_KINDS: dict[str, tuple[Rank, tuple[str, ...]]] = {
    "apiextensions.k8s.io": (Rank.CRD, ("CustomResourceDefinition",)),
    "scheduling.k8s.io": (Rank.CLUSTER, ("PriorityClass",)),
    "storage.k8s.io": (Rank.CLUSTER, ("StorageClass", "CSIDriver")),
    "node.k8s.io": (Rank.CLUSTER, ("RuntimeClass",)),
    "rbac.authorization.k8s.io": (Rank.RBAC, ("ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding")),
    "networking.k8s.io": (Rank.CONFIG, ("NetworkPolicy",)),
    "policy": (Rank.CONFIG, ("PodDisruptionBudget",)),
    "apps": (Rank.WORKLOAD, ("Deployment", "DaemonSet", "StatefulSet", "ReplicaSet")),
    "batch": (Rank.WORKLOAD, ("Job", "CronJob")),
    "apiregistration.k8s.io": (Rank.HOOK, ("APIService",)),
    "admissionregistration.k8s.io": (
        Rank.HOOK,
        ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "ValidatingAdmissionPolicyBinding"),
    ),
}
_CORE: dict[str, Rank] = {
    "Namespace": Rank.NAMESPACE,
    "ServiceAccount": Rank.ACCOUNT,
    "Secret": Rank.CONFIG,
    "ConfigMap": Rank.CONFIG,
    "LimitRange": Rank.CONFIG,
    "ResourceQuota": Rank.CONFIG,
    "PersistentVolume": Rank.CONFIG,
    "PersistentVolumeClaim": Rank.CONFIG,
    "Service": Rank.CONFIG,
    "Endpoints": Rank.CONFIG,
    "ReplicationController": Rank.WORKLOAD,
    "Pod": Rank.WORKLOAD,
}

Overrides = t.Mapping[tuple[str, str], Rank]


def rank_of(definition: Definition, overrides: Overrides | None = None) -> Rank:
    """Rank by (group, kind); a caller that knows better about a custom kind says so by an override."""
    if overrides and (definition.group, definition.kind) in overrides:
        return overrides[(definition.group, definition.kind)]
    if not definition.group:
        return _CORE.get(definition.kind, Rank.REST)
    rank, kinds = _KINDS.get(definition.group, (Rank.REST, ()))
    return rank if definition.kind in kinds else Rank.REST


def waves(
    definitions: t.Iterable[Definition], overrides: Overrides | None = None, reverse: bool = False
) -> list[tuple[Rank, list[Definition]]]:
    """Definitions in groups to be sent one group after another; the order as given is kept within a group."""
    ranked = sorted(((rank_of(one, overrides), one) for one in definitions), key=lambda pair: pair[0])
    grouped = [(rank, [one for _rank, one in pairs]) for rank, pairs in itertools.groupby(ranked, lambda pair: pair[0])]
    return grouped[::-1] if reverse else grouped
