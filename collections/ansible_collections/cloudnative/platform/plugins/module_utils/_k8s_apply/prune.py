# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What an owner has in the cluster: found, recorded, and taken out when it is not defined any more."""

from __future__ import annotations

import concurrent.futures
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply import diff, discovery, owner, reading
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.changes import (
    CREATED,
    UPDATED,
    Change,
    Planned,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.definitions import (
    Definition,
    DefinitionError,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.discovery import Resource
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.engine import WORKERS, Engine
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import ApiError, ClientError

CONFIG_MAP = Resource("", "v1", "configmaps", "ConfigMap", namespaced=True)
PAGE = 500


class Estate:
    """All objects of one owner. First `observe()`, then `open()`, apply, `prune()`, `close()`."""

    def __init__(self, engine: Engine, name: str, namespace: str, namespace_comes: bool = False) -> None:
        self.engine = engine
        self.name = name
        self.namespace = namespace
        # Whether somebody else makes the namespace of the record before this runs for real.
        self.namespace_comes = namespace_comes
        self.forbidden: set[str] = set()
        self.owned: list[diff.Object] = []
        self._path = CONFIG_MAP.path(owner.record_name(name), namespace)
        self._before: diff.Object | None = None
        self._after: diff.Object | None = None
        self._change: Change | None = None
        self._desired = owner.Record()
        self._unserved = owner.Record()
        self._keys: list[owner.Key] = []
        self._going: list[diff.Object] = []

    # -- what there is ------------------------------------------------------------------------------------------

    def observe(self, planned: t.Iterable[Planned] = ()) -> None:
        """Find the record and the objects; without a record every kind is searched, once."""
        placed = [(one.resource, one.definition.namespace) for one in planned if one.resource is not None]
        self._desired = owner.record_of(placed)
        self._keys = [owner.key_of(one.definition.body) for one in planned]
        self._before = self._after = reading.get(self.engine.cluster, self._path)
        record = owner.read_record(self._before)
        served = {
            name: resource for name, resource in discovery.preferred(self.engine.catalog).items() if resource.prunable
        }
        kinds = set(served) if record is None else (record.kinds | self._desired.kinds) & set(served)
        namespaces = (record or owner.Record()).namespaces | self._desired.namespaces
        # An API that is away for now may come back with its objects: they stay in the record.
        if record and record.kinds - set(served):
            self._unserved = owner.Record(record.kinds - set(served), record.namespaces)
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            found = pool.map(
                lambda kind: self._list(served[kind], namespaces, kind in self._desired.kinds or record is not None),
                sorted(kinds),
            )
            # One object may be served in two groups.
            bodies = {body["metadata"]["uid"]: body for page in found for body in page}
        self.owned = [body for body in bodies.values() if owner.owner_of(body) == self.name]

    def _list(self, resource: Resource, namespaces: frozenset[str], must: bool) -> list[diff.Object]:
        try:
            return self._pages(resource, None)
        except ApiError as e:
            if e.status != 403 or not resource.namespaced:
                return self._unlisted(resource, e, must)
        # Whoever may not look into all namespaces may look into its own.
        bodies: list[diff.Object] = []
        for namespace in sorted(namespaces):
            try:
                bodies += self._pages(resource, namespace)
            except ApiError as e:
                bodies += self._unlisted(resource, e, must)
        return bodies

    def _unlisted(self, resource: Resource, error: ApiError, must: bool) -> list[diff.Object]:
        if error.status in (404, 405):  # not served any more, or never to be listed
            return []
        if error.status != 403 or must:
            raise error
        self.forbidden.add(resource.group_kind)
        return []

    @property
    def warnings(self) -> list[str]:
        if not self.forbidden:
            return []
        kinds = ", ".join(sorted(self.forbidden))
        return [f"not searched for objects of owner {self.name}, because listing them is forbidden: {kinds}"]

    def _pages(self, resource: Resource, namespace: str | None) -> list[diff.Object]:
        bodies: list[diff.Object] = []
        query: dict[str, t.Any] = {"labelSelector": f"{owner.LABEL}={self.name}", "limit": PAGE}
        while True:
            answer = self.engine.cluster.request("GET", resource.path(namespace=namespace), query)
            # Items of a list don't say what they are.
            api_version = f"{resource.group}/{resource.version}" if resource.group else resource.version
            bodies += [{"apiVersion": api_version, "kind": resource.kind, **item} for item in answer.get("items") or []]
            query["continue"] = (answer.get("metadata") or {}).get("continue")
            if not query["continue"]:
                return bodies

    # -- what is to go ------------------------------------------------------------------------------------------

    def plan_prune(self, limit: str, spare: t.Callable[[diff.Object], bool] | None = None) -> None:
        """Before anything is sent: which objects are not defined any more, but for those to spare. Refuses too many."""
        going = owner.doomed(self.owned, self._keys)
        self._going = [body for body in going if spare is None or not spare(body)]
        owner.guard(self.name, self._going, len(self.owned), limit)

    def plan_removal(self) -> None:
        self._going = owner.doomed(self.owned, [])

    def prune(self, timeout: float | None) -> list[Change]:
        uids = {body["metadata"]["uid"] for body in self._going}
        return self.engine.delete(
            [Definition(body, f"owner {self.name}") for body in self._going],
            timeout,
            lambda body: body["metadata"]["uid"] in uids and owner.owner_of(body) == self.name,
        )

    # -- the record ---------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Widen the record by what is to be applied, before it is applied."""
        known = owner.read_record(self._before)
        wide = self._found().union(self._desired).union(known or owner.Record())
        if wide != known and not self.engine.check:
            self._after = self._write(wide)
            self._account(wide)

    def withdraw(self) -> bool:
        """Take the record away again if this run made it and nothing came of it: not one object was applied.

        If that fails too, the record stays, which is harmless, and stays in the account of what was done.
        """
        done = [change for change in self.engine.done if change is not self._change]
        if self._change is None or self._before is not None or self._after is None or self.owned or done:
            return False
        metadata = self._after["metadata"]
        # Another run may have written into it by now.
        condition = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
        try:
            self.engine.cluster.request("DELETE", self._path, body={"preconditions": condition})
        except ClientError:
            return False
        self.engine.done[:] = done
        self._change = None
        return True

    def close(self, pruned: bool) -> None:
        """Bring the record to what there is now, and count what became of it as one change."""
        known = owner.read_record(self._before) or owner.Record()
        final = self._desired.union(self._unserved) if pruned else self._found().union(self._desired).union(known)
        if owner.read_record(self._after) != final:
            self._after = self._write(final)
        self._account(final)

    def _account(self, record: owner.Record) -> None:
        """What became of the record so far stands in the account once."""
        done = self.engine.done
        done[:] = [change for change in done if change is not self._change]
        definition = owner.write_record(self.name, self.namespace, record)
        if self._before is None:
            self._change = Change(definition, CONFIG_MAP, CREATED, None, self._after)
        elif diff.is_changed(self._before, self._after):
            self._change = Change(definition, CONFIG_MAP, UPDATED, self._before, self._after)
        else:
            return
        done.append(self._change)

    def remove_record(self) -> list[Change]:
        return self.engine.delete([owner.write_record(self.name, self.namespace, owner.Record())], None)

    def _found(self) -> owner.Record:
        """Where the objects are that are there."""
        served = discovery.preferred(self.engine.catalog)
        placed = []
        for body in self.owned:
            group, kind, namespace, _name = owner.key_of(body)
            placed.append((served[discovery.group_kind(group, kind)], namespace))
        return owner.record_of(placed)

    def _write(self, record: owner.Record) -> diff.Object:
        definition = owner.write_record(self.name, self.namespace, record)
        try:
            return self.engine.write(definition, CONFIG_MAP, force=True)
        except ApiError as e:
            if e.status != 404:
                raise
            if self.engine.check and self.namespace_comes:
                return definition.body
            raise DefinitionError(
                f"the record of owner {self.name} can't be kept in namespace {self.namespace}, which does not exist; "
                "make it first, or set owner_namespace"
            ) from e
