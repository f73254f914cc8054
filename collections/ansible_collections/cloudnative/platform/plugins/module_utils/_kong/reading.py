# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Reads a gateway: what it is, its schemas, its entities. Lists in parallel, in pages of a thousand."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kong.admin import Admin, NodeError, Refused
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.catalogue import Catalogue, schema_names
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import KINDS, KongError, Raw

SUPPORTED = (3, 9)
POSTGRES, DBLESS = "postgres", "dbless"


class Node:
    """What `GET /` says about a node."""

    def __init__(self, root: Raw) -> None:
        configuration = root.get("configuration") or {}
        self.version = str(root.get("version") or "")
        self.edition = str(root.get("edition") or "")
        self.id = str(root.get("node_id") or "")
        self.hostname = str(root.get("hostname") or "")
        self.role = str(configuration.get("role") or "traditional")
        self.mode = DBLESS if configuration.get("database") == "off" else POSTGRES
        self.router = str(configuration.get("router_flavor") or "")
        plugins = root.get("plugins") or {}
        self.plugins: dict[str, str] = {
            name: str(value.get("version")) if isinstance(value, dict) else ""
            for name, value in (plugins.get("available_on_server") or {}).items()
        }

    def problem(self, url: str) -> str | None:
        found = re.match(r"(\d+)\.(\d+)", self.version)
        if not found:
            return f"{url} answers, but not as the Admin API of a Kong Gateway does"
        version = (int(found[1]), int(found[2]))
        wanted = ".".join(map(str, SUPPORTED))
        if version != SUPPORTED:
            age = "older" if version < SUPPORTED else "newer"
            return (
                f"Kong {self.version} at {url} is {age} than what this module knows: it supports {wanted}.x "
                f"({wanted}.0 and every later {wanted} release)"
            )
        if self.role == "data_plane":
            return f"{url} is a data plane, whose configuration comes from its control plane: name that one's Admin API"
        return None

    def kinds(self) -> list[str]:
        """What this node has lists of: credentials come with their plugin."""
        return [kind.name for kind in KINDS.values() if not kind.plugin or kind.plugin in self.plugins]


def node(admin: Admin) -> Node:
    try:
        found = Node(admin.get("/"))
    except Refused as e:
        if e.status == 500:
            raise NodeError(f"Kong at {admin.name} answers 500 to GET /: if it has a database, it has lost it") from e
        raise
    problem = found.problem(admin.name)
    if problem:
        # A page of something in between says nothing of the other nodes; another kind of Kong is a mistake in the list.
        raise (KongError if found.version else NodeError)(problem)
    return found


def entities(
    admin: Admin, kinds: t.Sequence[str], wanted_upstreams: t.Callable[[Raw], bool] = lambda item: True
) -> dict[str, list[Raw]]:
    """All lists; targets cost one each for every upstream, so only those of upstreams that somebody asks about."""
    paths = [kind for kind in kinds if KINDS[kind].path]
    # The upstreams first: what hangs on them can be asked for while the other lists are still coming.
    paths.sort(key=lambda kind: kind != "upstreams")
    coming = {kind: admin.submit(admin.pages, f"/{KINDS[kind].path}") for kind in paths}
    targets = [
        admin.submit(admin.pages, f"/upstreams/{item['id']}/targets")
        for item in coming["upstreams"].result()
        if wanted_upstreams(item)
    ]
    lists = {kind: future.result() for kind, future in coming.items()}
    lists["targets"] = [item for future in targets for item in future.result()]
    return lists


class Schemas:
    """The schemas of one version with one set of plugins, kept on disk: they are a third of what a run would read."""

    def __init__(self, admin: Admin, about: Node, directory: str | None) -> None:
        self.admin = admin
        self.about = about
        self.known: dict[str, Raw] = {}
        self.from_disk = False
        marks = [about.version, about.edition, about.mode, about.role, about.router, sorted(about.plugins.items())]
        digest = hashlib.sha256(json.dumps(marks).encode()).hexdigest()[:16]
        self.path = os.path.join(directory, f"kong-schemas-{about.version}-{digest}.json") if directory else None
        if self.path:
            # A cache that can't be read is no cache, and is written anew.
            with contextlib.suppress(OSError, ValueError), open(self.path, encoding="utf-8") as stream:
                content = json.load(stream)
                self.known = content if isinstance(content, dict) else {}
                self.from_disk = bool(self.known)

    def catalogue(self, plugins: t.Iterable[str], vaults: t.Iterable[str]) -> Catalogue:
        """Schemas of all kinds and of the plugins and vaults that are in use."""
        used = sorted(name for name in set(plugins) if name in self.about.plugins)
        wanted = schema_names(self.about.kinds(), used, sorted(set(vaults)))
        missing = [name for name in wanted if name not in self.known]
        if missing:
            self.known.update(zip(missing, self.admin.each(self._schema, missing)))
            self._save()
        raw = {name: schema for name, schema in self.known.items() if schema}
        return Catalogue(raw, self.about.plugins)

    def forget(self) -> None:
        """A plugin of one's own can change without a new version."""
        self.known = {}
        self.from_disk = False

    def _schema(self, name: str) -> Raw:
        try:
            return self.admin.get(f"/schemas/{name}")
        except Refused as e:
            if e.status == 404:
                return {}
            raise

    def _save(self) -> None:
        if not self.path:
            return
        # Whoever can't keep it asks again the next time.
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=os.path.dirname(self.path))
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump(self.known, stream)
            os.replace(name, self.path)
