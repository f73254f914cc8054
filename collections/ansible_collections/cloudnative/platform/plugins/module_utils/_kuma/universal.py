# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One call of `kuma_resources` over the API of a Universal control plane: read, plan, write. Check mode only reads."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import (
    advice,
    own_secrets,
    plan,
    reading,
    strict,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.client import ControlPlane, path_of
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.documents import Key, Wanted
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KINDS, KumaError, Problems, Raw
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.outcome import Outcome
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.plan import DELETE, Change, Plan
from ansible_collections.cloudnative.platform.plugins.module_utils._wording import listed


class Wish(t.NamedTuple):
    """The options of a call that say what the control plane should hold."""

    wanted: list[Wanted]
    state: str
    owner: str | None
    prune: bool
    prune_max: int
    check_mode: bool
    strict_gate: bool = True

    def kinds(self) -> set[str]:
        return {one.kind for one in self.wanted}

    def meshes(self) -> set[str]:
        return {one.mesh for one in self.wanted if one.mesh}


def carry_out(control: ControlPlane, wish: Wish, outcome: Outcome) -> None:
    outcome.facts["version"] = reading.version(control)
    made, observed = _present(control, wish) if wish.state == "present" else _absent(control, wish)
    kinds, meshes = advice.to_ask(made)
    if kinds:
        observed = {**observed, **reading.resources(control, kinds, meshes).resources}
    before, after = _states(made, observed)
    leaving = {name for kind, _mesh, name in before.keys() - after.keys() if kind == "Mesh"}
    advice.of_steps(made, before, after, leaving)
    if wish.strict_gate:
        made.problems += _against_strict(control, made, before, after, leaving)
    outcome.warnings += made.warnings
    if made.problems:
        raise Problems(made.problems)
    if not wish.check_mode:
        _write(control, made, outcome)
        return
    for group in (*made.writes(), *made.deletes()):
        for change in group:
            outcome.tell(change)


def _states(made: Plan, observed: strict.Resources) -> tuple[dict[Key, Raw], dict[Key, Raw]]:
    """What is known of before and after the changes."""
    before = {**observed, **{change.key: change.observed for change in made.changes if change.observed is not None}}
    gone = {change.key for change in made.of(DELETE)}
    written = {change.key: change.body for change in made.changes if change.body is not None}
    return before, {key: body for key, body in {**before, **written}.items() if key not in gone}


def _against_strict(
    control: ControlPlane, made: Plan, before: strict.Resources, after: strict.Resources, leaving: set[str]
) -> list[str]:
    """Who is in the way of strict mTLS; asked for only when the plan is a step to it."""
    before, after = ({key: body for key, body in state.items() if key[0] in strict.KINDS} for state in (before, after))
    taken = strict.steps(before, after, leaving)
    if not taken:
        return []
    gone = {change.key for change in made.of(DELETE)}
    workloads, identified = reading.workloads(control, {step.mesh for step in taken}, gone)
    taken = strict.not_yet(taken, before, identified)
    return strict.refusals(taken, workloads, identified | strict.identified(after), time.time())


def _identities_have(control: ControlPlane, keys: t.Iterable[Key]) -> set[Key]:
    """The secrets of identities; asked for only where a name may be of one."""
    if not any(own_secrets.may_be_of_identity(key) for key in keys):
        return set()
    return own_secrets.of_identities(reading.resources(control, {advice.IDENTITY}, ()).resources)


def _present(control: ControlPlane, wish: Wish) -> tuple[Plan, strict.Resources]:
    """The plan, and what it was made of."""
    kinds = wish.kinds() | advice.needed(wish.kinds())
    if len(wish.meshes()) > 1:
        kinds.add("Mesh")
    observed = reading.resources(control, kinds, wish.meshes())
    missing = set(observed.missing)
    if len(wish.meshes()) > 1:
        missing |= {name for name in wish.meshes() if ("Mesh", "", name) not in observed.resources}
    owned = reading.owned(control, wish.owner, KINDS) if wish.prune and wish.owner else None
    keys = [*(one.key for one in wish.wanted), *(owned.resources if owned else ())]
    own = _identities_have(control, keys)

    def make(about: reading.About | None) -> Plan:
        made = plan.present(wish.wanted, observed.resources, wish.owner, about.origin if about else "", own)
        advice.of_missing(made, wish.wanted, missing, observed.resources)
        advice.of_wanted(made, wish.wanted, observed.resources, universal=True)
        if owned is not None and wish.owner:
            foreign = about.foreign if about else lambda _body: False
            plan.prune(made, wish.wanted, owned.resources.values(), wish.owner, wish.prune_max, foreign, own)
            advice.of_deleted(made, observed.resources)
            for kind, reason in owned.forbidden.items():
                made.warnings.append(f"{kind}: not searched for resources of owner {wish.owner}: {reason}")
        return made

    # How a control plane is set up only matters when something is to be written.
    made = make(None)
    return make(_writable(control)) if made.changes else made, observed.resources


def _absent(control: ControlPlane, wish: Wish) -> tuple[Plan, strict.Resources]:
    made, observed = Plan(), reading.Observed({}, {}, set())
    if wish.wanted:
        kinds = wish.kinds() | ({"Dataplane"} if "Mesh" in wish.kinds() else set())
        meshes = wish.meshes() if "Mesh" not in wish.kinds() else set()
        observed = reading.resources(control, kinds, meshes)
        own = _identities_have(control, (one.key for one in wish.wanted))
        made = plan.absent(wish.wanted, observed.resources, wish.owner, own)
        advice.of_deleted(made, observed.resources)
        if made.changes:
            _writable(control)
    elif wish.owner:
        observed = reading.owned(control, wish.owner, KINDS)
        made.problems += observed.forbidden.values()
        if observed.resources:
            owned, own = observed.resources.values(), _identities_have(control, observed.resources)
            plan.prune(made, [], owned, wish.owner, wish.prune_max, _writable(control).foreign, own)
            advice.of_deleted(made, observed.resources)
    return made, observed.resources


def _writable(control: ControlPlane) -> reading.About:
    about = reading.about(control)
    if about.environment == "kubernetes":
        raise KumaError(
            f"the control plane at {control.name} runs on Kubernetes, where its API only reads: use mode=kubernetes"
        )
    if about.read_only:
        raise KumaError(
            f"the control plane at {control.name} was started with KUMA_API_SERVER_READ_ONLY: it only reads"
        )
    return about


def _write(control: ControlPlane, made: Plan, outcome: Outcome) -> None:
    """Stage after stage; within one, many at a time. The first stage in which something fails is the last."""

    def one(change: Change) -> tuple[Change, list[str], KumaError | None]:
        path = path_of(*change.key)
        try:
            if change.action == DELETE:
                control.delete(path)
                return change, [], None
            return change, control.put(path, change.body or {}), None
        except KumaError as e:
            return change, [], e

    for group in (*made.writes(), *made.deletes()):
        failed: list[str] = []
        for change, warnings, error in control.each(one, group):
            if error is not None:
                failed.append(f"{change.label} ({change.where}): {error}")
                continue
            outcome.tell(change)
            outcome.warnings += [f"{change.label}: {warning}" for warning in warnings]
        if failed:
            left = len(made.changes) - len(outcome.actions)
            raise KumaError(f"{listed(failed, 5)}; {len(outcome.actions)} changes were made, {left} were not")
