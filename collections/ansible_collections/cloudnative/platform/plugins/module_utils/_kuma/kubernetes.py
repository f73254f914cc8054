# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The same resources as custom resources of a cluster, put there by the engine of `k8s_apply`."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply import owner as owners
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.changes import (
    CREATED,
    DELETED,
    UNCHANGED,
    UPDATED,
    summary,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.definitions import (
    Definition,
    DefinitionError,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.engine import Engine
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.order import Rank
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.prune import Estate
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_auth import AUTH_ARG_SPEC
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import ClientError, Cluster
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import (
    advice,
    cluster_reading,
    schema,
    strict,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.documents import Wanted
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import (
    KINDS,
    KumaError,
    Problems,
    Raw,
    Stage,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.outcome import Outcome
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.plan import CREATE, Change, Plan
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.universal import Wish

API = "kuma.io/v1alpha1"
GROUP = "kuma.io"
NAMESPACE_LABEL = "k8s.kuma.io/namespace"
_SECRET_TYPES = {"Secret": "system.kuma.io/secret", "GlobalSecret": "system.kuma.io/global-secret"}
_RANKS = {
    Stage.MESH: Rank.CLUSTER,
    Stage.SECRET: Rank.CONFIG,
    Stage.PERMISSION: Rank.CONFIG,
    Stage.IDENTITY: Rank.WORKLOAD,
}
#: The engine's groups in the order of our stages.
OVERRIDES = {(GROUP, kind.name): _RANKS.get(kind.stage, Rank.REST) for kind in KINDS.values()}


def custom_resource(one: Wanted, namespace: str) -> Raw:
    """A resource as Kubernetes has it. Pure."""
    kind = KINDS[one.kind]
    labels = dict(one.labels)
    metadata: Raw = {"name": one.name}
    if kind.namespaced:
        metadata["namespace"] = labels.pop(NAMESPACE_LABEL, None) or namespace
    if one.mesh and not kind.instead:
        labels["kuma.io/mesh"] = one.mesh
    if labels:
        metadata["labels"] = labels
    if one.kind in _SECRET_TYPES:
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {**metadata, "namespace": namespace},
            "type": _SECRET_TYPES[one.kind],
            "data": {"value": one.body.get("data", "")},
        }
    made: Raw = {
        "apiVersion": API,
        "kind": one.kind,
        "metadata": metadata,
        "spec": schema.content_of(one.kind, one.body),
    }
    # The old kinds are in no namespace and say their mesh next to the spec.
    return {**made, "mesh": one.mesh} if one.mesh and kind.instead else made


def problems(wanted: t.Iterable[Wanted]) -> list[str]:
    return [
        f"{one.place}: on Kubernetes the control plane makes a Dataplane of each pod with a sidecar; write labels and "
        "annotations of the pod instead"
        for one in wanted
        if KINDS[one.kind].from_pods
    ]


def definitions(wanted: t.Iterable[Wanted], more: t.Iterable[Raw], namespace: str) -> list[Definition]:
    found = [Definition(custom_resource(one, namespace), one.where) for one in wanted]
    return found + [Definition(body, "call_graph") for body in more]


def carry_out(options: t.Mapping[str, t.Any], wish: Wish, more: list[Raw], outcome: Outcome) -> None:
    wrong = problems(wish.wanted)
    judged = _judged(wish.wanted)
    outcome.warnings += judged.warnings
    if wrong or judged.problems:
        raise Problems([*wrong, *judged.problems])
    try:
        cluster = Cluster(**{name: options[name] for name in AUTH_ARG_SPEC})
        engine = Engine(
            cluster,
            "cloudnative.platform",
            check=wish.check_mode,
            namespace=options["namespace"],
            overrides=OVERRIDES,
            owned_by=wish.owner,
        )
    except ClientError as e:
        raise KumaError(str(e)) from e
    try:
        against = _against_strict(cluster, wish) if wish.strict_gate else []
        if against:
            raise Problems(against)
        _apply(engine, options["namespace"], wish, definitions(wish.wanted, more, options["namespace"]), outcome)
    except (ClientError, DefinitionError) as e:
        raise KumaError(str(e)) from e
    finally:
        outcome.facts["requests"] = cluster.requests
        _tell(engine, outcome, wish.check_mode)


def _against_strict(cluster: Cluster, wish: Wish) -> list[str]:
    """Who is in the way of strict mTLS; asked for only when something of it is named or may go."""
    takes_away = wish.state == "absent" or wish.prune
    if not (wish.kinds() & strict.KINDS or (takes_away and wish.owner)):
        return []
    before = cluster_reading.policies(cluster)
    after = cluster_reading.after(before, wish.wanted, wish.state, wish.owner, wish.prune)
    leaving = {one.name for one in wish.wanted if one.kind == "Mesh"} if wish.state == "absent" else set()
    taken = strict.not_yet(strict.steps(before, after, leaving), before, strict.identified(before))
    if not taken:
        return []
    return strict.refusals(taken, cluster_reading.workloads(cluster), strict.identified(after), time.time())


def _apply(engine: Engine, namespace: str, wish: Wish, wanted: list[Definition], outcome: Outcome) -> None:
    # The namespace comes with the control plane.
    estate = Estate(engine, owners.check_name(wish.owner), namespace, namespace_comes=True) if wish.owner else None
    if wish.state == "absent":
        if wanted or estate is None:
            engine.delete(wanted, None)
            return
        estate.observe()
        estate.plan_prune(_limit(wish.prune_max), spare=_is_mesh)
        estate.prune(None)
        outcome.warnings += estate.warnings
        return
    planned = engine.plan(wanted)
    if estate is not None:
        estate.observe(planned)
        if wish.prune:
            estate.plan_prune(_limit(wish.prune_max), spare=_is_mesh)
        estate.open()
    engine.send(planned)
    if estate is not None:
        if wish.prune:
            estate.prune(None)
        estate.close(wish.prune)
        outcome.warnings += estate.warnings


def _is_mesh(body: Raw) -> bool:
    """A mesh takes all that is in it along, so it goes only when it is named."""
    return body.get("kind") == "Mesh" and str(body.get("apiVersion")).startswith(f"{GROUP}/")


def _limit(prune_max: int) -> str:
    return "100%" if prune_max < 0 else str(prune_max)


def _judged(wanted: list[Wanted]) -> Plan:
    """What can be said of identities without asking the cluster: of those whose Mesh is in the documents as well."""
    plan = Plan()
    meshes = {one.name for one in wanted if one.kind == "Mesh"}
    known = [one for one in wanted if one.kind != "MeshIdentity" or one.mesh in meshes]
    plan.changes = [Change(CREATE, one.key, one.body, None) for one in known]
    advice.of_wanted(plan, known, {}, universal=False)
    return plan


def _tell(engine: Engine, outcome: Outcome, check_mode: bool) -> None:
    told = summary(engine.done, check_mode, outcome.with_diff)
    outcome.changed = told["changed"]
    outcome.actions = told["actions"]
    outcome.diff = told.get("diff", [])
    for change in engine.done:
        if change.action != UNCHANGED:
            outcome.counts[{CREATED: "created", UPDATED: "updated", DELETED: "deleted"}[change.action]] += 1
        if change.warning:
            outcome.warnings.append(change.warning)
