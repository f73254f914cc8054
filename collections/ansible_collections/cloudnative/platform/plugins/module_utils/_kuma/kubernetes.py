# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The same resources as custom resources of a cluster, put there by the engine of `k8s_apply`."""

from __future__ import annotations

import itertools
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
    label_of,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.engine import Engine
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.order import Rank
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.prune import Estate
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_auth import AUTH_ARG_SPEC
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import ClientError, Cluster
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import (
    advice,
    cluster_conflicts,
    cluster_reading,
    own_secrets,
    schema,
    strict,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.documents import Key, Wanted
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import (
    KINDS,
    KumaError,
    Problems,
    Raw,
    Stage,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.outcome import Outcome
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.plan import (
    CREATE,
    UPDATE,
    Change,
    Plan,
    mesh_not_pruned,
)
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


def problems(wanted: t.Sequence[Wanted], namespace: str) -> list[str]:
    return [
        *(
            f"{one.place}: on Kubernetes the control plane makes a Dataplane of each pod with a sidecar; write labels "
            "and annotations of the pod instead"
            for one in wanted
            if KINDS[one.kind].from_pods
        ),
        *cluster_conflicts.same_object(zip(definitions(wanted, [], namespace), wanted)),
    ]


def definitions(wanted: t.Iterable[Wanted], more: t.Iterable[Raw], namespace: str) -> list[Definition]:
    found = [Definition(custom_resource(one, namespace), one.where) for one in wanted]
    return found + [Definition(body, "call_graph") for body in more]


def carry_out(options: t.Mapping[str, t.Any], wish: Wish, more: list[Raw], outcome: Outcome) -> None:
    namespace = options["namespace"]
    wrong = problems(wish.wanted, namespace)
    if wrong:
        raise Problems(wrong)
    try:
        cluster = Cluster(**{name: options[name] for name in AUTH_ARG_SPEC})
        engine = Engine(
            cluster,
            "cloudnative.platform",
            check=wish.check_mode,
            namespace=namespace,
            overrides=OVERRIDES,
            owned_by=wish.owner,
        )
    except ClientError as e:
        raise KumaError(str(e)) from e
    try:
        judged = _judged(engine, wish, definitions(wish.wanted, more, namespace), namespace)
        outcome.warnings += judged.warnings
        if judged.problems:
            raise Problems(judged.problems)
        _apply(engine, namespace, wish, judged, outcome)
    except (ClientError, DefinitionError) as e:
        raise KumaError(str(e)) from e
    finally:
        outcome.facts["requests"] = cluster.requests
        _tell(engine, outcome, wish.check_mode)


class Judged(t.NamedTuple):
    """What is to be sent or deleted, with what was found against it before anything of it is."""

    wanted: list[Definition]
    problems: list[str]
    warnings: list[str]
    #: the secrets of identities
    identities_have: set[Key]


def _judged(engine: Engine, wish: Wish, wanted: list[Definition], namespace: str) -> Judged:
    found = Judged(wanted, [], [], set())
    # As they are called in a control plane on Kubernetes.
    placed = [
        one._replace(name=cluster_reading.name_of(one.name, definition.namespace, namespace))
        for one, definition in zip(wish.wanted, wanted)
    ]
    may_be_of_identity = any(own_secrets.may_be_of_identity(one.key) for one in wish.wanted)
    if wish.kinds() & advice.JUDGED or may_be_of_identity or _prunes(wish):
        before = cluster_reading.policies(engine.cluster, namespace)
        after = cluster_reading.after(before.resources, placed, wish.state, wish.owner, wish.prune)
        leaving = {one.name for one in wish.wanted if one.kind == "Mesh"} if wish.state == "absent" else set()
        advised = of_meshes(placed, before, after, wish.state, leaving)
        found.problems.extend(advised.problems)
        found.warnings.extend(advised.warnings)
        found.identities_have.update(own_secrets.of_identities(before.resources))
        if wish.strict_gate and (wish.kinds() & strict.KINDS or _prunes(wish)):
            found.problems.extend(_against_strict(engine.cluster, before, after, leaving))
    places = [
        cluster_conflicts.Place(*one)
        for one in itertools.zip_longest(
            wanted, wish.wanted, cluster_reading.heads(engine.cluster, engine.catalog, wanted)
        )
    ]
    if wish.state == "present":
        found.problems.extend(cluster_conflicts.of_present(places, wish.owner, found.identities_have))
        return found
    wrong, going = cluster_conflicts.of_absent(places, wish.owner, found.identities_have)
    return found._replace(wanted=going, problems=[*found.problems, *wrong])


def _prunes(wish: Wish) -> bool:
    """Whether more may go than what is named."""
    return wish.prune if wish.state == "present" else not wish.wanted


def of_meshes(
    placed: t.Sequence[Wanted],
    before: cluster_reading.Policies,
    after: t.Mapping[Key, Raw],
    state: str,
    leaving: t.Collection[str],
) -> Plan:
    """What can be said of identities and permissions between two states of a cluster. Pure."""
    plan = Plan()
    if before.forbidden:
        plan.warnings.append(
            f"whether identities work and calls stay allowed is not known: {'; '.join(before.forbidden.values())}"
        )
        return plan
    there = before.resources
    if state == "present":
        # Whose Mesh is neither there nor written is not judged: in check mode it may still be to come.
        known = [one for one in placed if one.kind != advice.IDENTITY or ("Mesh", "", one.mesh) in after]
        plan.changes = [
            Change(UPDATE if one.key in there else CREATE, one.key, one.body, there.get(one.key))
            for one in known
            if one.kind == advice.IDENTITY
        ]
        advice.of_wanted(plan, known, there, universal=False)
    advice.of_steps(plan, there, after, leaving)
    return plan


def _against_strict(
    cluster: Cluster, before: cluster_reading.Policies, after: t.Mapping[Key, Raw], leaving: t.Collection[str]
) -> list[str]:
    """Who is in the way of strict mTLS; asked for only when it is a step to it."""
    for kind in sorted(strict.KINDS & set(before.forbidden)):
        raise KumaError(cluster_reading.not_read(before.forbidden[kind]))
    was = {key: body for key, body in before.resources.items() if key[0] in strict.KINDS}
    will = {key: body for key, body in after.items() if key[0] in strict.KINDS}
    taken = strict.not_yet(strict.steps(was, will, leaving), was, strict.identified(was))
    if not taken:
        return []
    return strict.refusals(taken, cluster_reading.workloads(cluster), strict.identified(will), time.time())


def _apply(engine: Engine, namespace: str, wish: Wish, judged: Judged, outcome: Outcome) -> None:
    # The namespace comes with the control plane.
    estate = Estate(engine, owners.check_name(wish.owner), namespace, namespace_comes=True) if wish.owner else None
    if wish.state == "absent":
        if wish.wanted or estate is None:
            # Seen once more right before: somebody may have taken it over by now.
            engine.delete(judged.wanted, None, lambda body: owners.owner_of(body) in (None, wish.owner))
            return
        estate.observe()
        _plan_prune(estate, wish, judged, outcome)
        estate.prune(None)
        outcome.warnings += estate.warnings
        return
    planned = engine.plan(judged.wanted)
    if estate is not None:
        estate.observe(planned)
        if wish.prune:
            _plan_prune(estate, wish, judged, outcome)
        estate.open()
    engine.send(planned)
    if estate is not None:
        if wish.prune:
            estate.prune(None)
        estate.close(wish.prune)
        outcome.warnings += estate.warnings


def _plan_prune(estate: Estate, wish: Wish, judged: Judged, outcome: Outcome) -> None:
    def is_spared(body: Raw) -> bool:
        return _is_mesh(body) or cluster_conflicts.is_own_secret(body, judged.identities_have)

    estate.plan_prune(_limit(wish.prune_max), spare=is_spared)
    desired = {owners.key_of(one.body) for one in judged.wanted}
    for body in estate.owned:
        if is_spared(body) and owners.key_of(body) not in desired:
            outcome.warnings.append(_not_pruned(body))


def _not_pruned(body: Raw) -> str:
    if _is_mesh(body):
        return mesh_not_pruned(body["metadata"]["name"])
    return own_secrets.not_pruned(label_of(body))


def _is_mesh(body: Raw) -> bool:
    """A mesh takes all that is in it along, so it goes only when it is named."""
    return body.get("kind") == "Mesh" and str(body.get("apiVersion")).startswith(f"{GROUP}/")


def _limit(prune_max: int) -> str:
    return "100%" if prune_max < 0 else str(prune_max)


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
