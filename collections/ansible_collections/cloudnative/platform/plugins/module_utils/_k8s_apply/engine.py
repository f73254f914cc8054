# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Puts definitions into a cluster by server-side apply, and takes them out again.

One code path for check mode and for real: the same requests, sent as a dry run.
"""

from __future__ import annotations

import concurrent.futures
import functools
import time
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply import (
    diff,
    discovery,
    order,
    owner,
    reading,
    secrets,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.changes import (
    CREATED,
    DELETED,
    UNCHANGED,
    UPDATED,
    ApplyError,
    Change,
    Planned,
    advice,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.definitions import (
    Definition,
    DefinitionError,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.discovery import Catalog, Resource
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.wait import Target, Waiter
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import (
    ApiError,
    ClientError,
    Cluster,
)

APPLY_TYPE = "application/apply-patch+yaml"
WORKERS = 8
# The API serves a new kind a moment after it called its definition established.
CRD_TIMEOUT = 60.0
NEW_KIND_TIMEOUT = 15.0


class Engine:
    """One run. `done` is what it has done by now, whatever happens next."""

    def __init__(
        self,
        cluster: Cluster,
        field_manager: str,
        force: bool = False,
        check: bool = False,
        namespace: str = "default",
        overrides: order.Overrides | None = None,
        owned_by: str | None = None,
    ) -> None:
        self.cluster = cluster
        self.field_manager = field_manager
        self.force = force
        self.check = check
        self.namespace = namespace
        self.overrides = overrides
        self.owned_by = owned_by
        self.done: list[Change] = []
        self._catalog: Catalog | None = None

    @property
    def catalog(self) -> Catalog:
        """What the API serves, by the first call's answer."""
        if self._catalog is None:
            self._catalog = discovery.parse(
                self.cluster.request("GET", root, accept=discovery.ACCEPT) for root in discovery.ROOTS
            )
        return self._catalog

    # -- apply --------------------------------------------------------------------------------------------------

    def apply(self, definitions: list[Definition]) -> list[Change]:
        return self.send(self.plan(definitions))

    def plan(self, definitions: list[Definition]) -> list[Planned]:
        """What would be sent; every mistake that can be seen before is reported here, all at once."""
        catalog = {**discovery.from_crds(definitions), **self.catalog}
        if self.owned_by:
            definitions = [owner.labelled(one, self.owned_by) for one in definitions]
        # Checked before it was installed, a kind of somebody else's definition can't be known.
        return self._resolve(
            definitions,
            catalog,
            lambda one: self.check and not discovery.is_built_in(one.api_version),
            [problem for one in definitions for problem in secrets.problems_of(one)],
        )

    def send(self, planned: list[Planned]) -> list[Change]:
        """Send everything in order; raises ApplyError at the end of the first group in which something failed."""
        sent: list[Change] = []
        for rank, wave in self._waves(planned):
            known = self._read(wave)
            sent += self._each(wave, functools.partial(self._apply_one, known=known))
            if rank is order.Rank.CRD and not self.check:
                problems = Waiter(self.cluster, WORKERS).wait(self.targets(sent), CRD_TIMEOUT)
                if problems:
                    raise ApplyError(problems, self.done)
        return sent

    def _resolve(
        self,
        definitions: list[Definition],
        catalog: Catalog,
        may_be_unknown: t.Callable[[Definition], bool],
        known: t.Sequence[str] = (),
    ) -> list[Planned]:
        """Definitions with their namespace and their kind; raises with these problems and those that are found."""
        planned: list[Planned] = []
        problems = list(known)
        for one in definitions:
            resource = catalog.get((one.api_version, one.kind))
            if resource is None and not may_be_unknown(one):
                problems.append(discovery.unknown_kind(one, catalog))
            elif resource is not None and not resource.namespaced and one.namespace:
                problems.append(f"{one.source}: {one.kind} {one.name} has a namespace but its kind is cluster-wide")
            elif resource is not None and resource.namespaced:
                planned.append(Planned(one.within(self.namespace), resource))
            else:
                planned.append(Planned(one, resource))
        if problems:
            raise DefinitionError("; ".join(problems))
        return planned

    def _waves(self, planned: list[Planned], reverse: bool = False) -> t.Iterator[tuple[order.Rank, list[Planned]]]:
        resources = {id(one.definition): one for one in planned}
        for rank, wave in order.waves([one.definition for one in planned], self.overrides, reverse):
            yield rank, [resources[id(definition)] for definition in wave]

    def _read(self, wave: list[Planned]) -> reading.Known:
        """Objects of a wave as they are right before it is sent, as far as lists tell."""
        known: reading.Known = {}
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            for found in pool.map(lambda group: reading.read_group(self.cluster, *group), reading.groups(wave)):
                known.update(found)
        return known

    def _apply_one(self, planned: Planned, known: reading.Known) -> Change:
        one, resource = planned
        if resource is None:
            warning = f"{one.label}: {one.api_version} {one.kind} is not known to the cluster yet, so it is not checked"
            return Change(one, None, CREATED, None, one.body, warning)
        path = resource.path(one.name, one.namespace)
        before = known[path] if path in known else reading.get(self.cluster, path)
        self._refuse_foreign(one, before)
        deadline = time.monotonic() + NEW_KIND_TIMEOUT
        while True:
            try:
                after = self.write(one, resource, self.force)
                break
            except ApiError as e:
                if e.status != 404:
                    raise
                if self.check:
                    # Its namespace or its kind is still to be made, by this call or by one before it.
                    return Change(one, resource, CREATED, None, one.body)
                if not resource.from_crd or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        if before is None:
            return Change(one, resource, CREATED, None, after)
        return Change(one, resource, UPDATED if diff.is_changed(before, after) else UNCHANGED, before, after)

    def write(self, one: Definition, resource: Resource, force: bool) -> diff.Object:
        """Apply one object; in check mode as a dry run."""
        query = {
            "fieldManager": self.field_manager,
            "fieldValidation": "Strict",
            "force": force,
            "dryRun": "All" if self.check else None,
        }
        path = resource.path(one.name, one.namespace)
        return self.cluster.request("PATCH", path, query=query, body=one.body, content_type=APPLY_TYPE)

    def _refuse_foreign(self, one: Definition, before: diff.Object | None) -> None:
        """Two owners of one object would take it from each other with every run."""
        theirs = owner.owner_of(before)
        if self.owned_by and theirs and theirs != self.owned_by and not self.force:
            raise ClientError(
                f"{one.label} ({one.source}) belongs to owner {theirs}, not to {self.owned_by}; take it out of the "
                "definitions there, or set force_conflicts to take it over"
            )

    # -- delete -------------------------------------------------------------------------------------------------

    def delete(
        self, definitions: list[Definition], timeout: float | None, only: t.Callable[[diff.Object], bool] | None = None
    ) -> list[Change]:
        """Delete in the opposite order; with a timeout for all, each group is gone before the next one goes.

        `only` has the last word about each object as it is right before its deletion.
        """
        planned = self._resolve(definitions, self.catalog, lambda one: True)
        deleted: list[Change] = []
        deadline = time.monotonic() + (timeout or 0)
        for _rank, wave in self._waves(planned, reverse=True):
            changes = self._each(wave, lambda one: self._delete_one(one, only))
            deleted += changes
            if timeout and not self.check:
                left = max(deadline - time.monotonic(), 1.0)
                self._await_gone([one for one in changes if one.action == DELETED], left)
        return deleted

    def _delete_one(self, planned: Planned, only: t.Callable[[diff.Object], bool] | None) -> Change:
        one, resource = planned
        if resource is None:  # a kind that is not served has no objects
            return Change(one, None, UNCHANGED, None, None)
        path = resource.path(one.name, one.namespace)
        before = reading.get(self.cluster, path)
        if before is None or (only and not only(before)):
            return Change(one, resource, UNCHANGED, before, before)
        options = {
            "propagationPolicy": "Background",
            "preconditions": {"uid": before["metadata"]["uid"]},
            "dryRun": ["All"] if self.check else [],
        }
        try:
            self.cluster.request("DELETE", path, body=options)
        except ApiError as e:
            if e.status != 404:
                raise
        return Change(one, resource, DELETED, before, None)

    def _await_gone(self, changes: list[Change], timeout: float) -> None:
        targets = [
            Target(one.resource, one.definition.name, one.definition.namespace, ending=one.before["metadata"]["uid"])
            for one in changes
            if one.resource is not None and one.before is not None
        ]
        problems = Waiter(self.cluster, WORKERS).wait(targets, timeout, "gone")
        if problems:
            raise ApplyError(problems, self.done)

    # -- both ---------------------------------------------------------------------------------------------------

    def targets(self, changes: list[Change]) -> list[Target]:
        """What there is to wait for after an apply. A dry run tells nothing of what the object is now."""
        return [
            Target(
                change.resource,
                change.definition.name,
                change.definition.namespace,
                seen=None if self.check else change.after,
                unchanged=change.action == UNCHANGED,
            )
            for change in changes
            if change.resource is not None
        ]

    def _each(self, wave: list[Planned], action: t.Callable[[Planned], Change]) -> list[Change]:
        """Run one action on all objects of a wave at once; report every failure, not only the first."""
        changes: list[Change] = []
        problems: list[str] = []
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            for planned, future in [(one, pool.submit(action, one)) for one in wave]:
                try:
                    changes.append(future.result())
                except ApiError as e:
                    problems.append(f"{planned.definition.label} ({planned.definition.source}): {advice(e)}")
                except ClientError as e:
                    problems.append(str(e))
        self.done += changes
        if problems:
            raise ApplyError(list(dict.fromkeys(problems)), self.done)
        return changes
