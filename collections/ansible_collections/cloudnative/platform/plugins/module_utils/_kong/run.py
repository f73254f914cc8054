# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What one call of `kong_config` does: what to read, what to compare, what to say. The modes do the rest."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kong import document as documents
from ansible_collections.cloudnative.platform.plugins.module_utils._kong import export, files, masks
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.admin import Admin, NodeError
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.catalogue import Catalogue
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.document import Document
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import KongError, Problems, Raw
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.observed import Observed, owned
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.plan import MANAGED_BY, Change, Plan
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.reading import Node, Schemas, entities, node

Source = tuple[str, t.Any]


class Outcome:
    """What the module returns, filled in as the work goes on, so that a failure still says what was done."""

    def __init__(self) -> None:
        self.changed = False
        self.actions: list[str] = []
        self.diff: list[dict[str, str]] = []
        self.warnings: list[str] = []
        self.facts: Raw = {}

    def tell(self, changes: t.Iterable[Change], catalogue: Catalogue, with_diff: bool) -> None:
        for change in changes:
            self.actions.append(change.sentence())
            if with_diff:
                self.diff.append(masks.difference(change, catalogue))

    def as_dict(self) -> Raw:
        return {"changed": self.changed, "actions": self.actions, "diff": self.diff, **self.facts}


def sources(params: t.Mapping[str, t.Any]) -> list[Source]:
    """The documents that a call names, each with what it is called in messages."""
    config = params["config"]
    found: list[Source] = []
    several = isinstance(config, list)
    given = config if several else [] if config is None else [config]
    names = params["config_names"] or [f"config[{number}]" if several else "config" for number in range(len(given))]
    if len(names) != len(given):
        raise KongError(f"config_names has {len(names)} names, and config {len(given)} documents: give one for each")
    for origin, document in zip(names, given):
        found.append((origin, files.parse(document, origin) if isinstance(document, str) else document))
    return found + files.read(params["src"] or [])


class Wish:
    """The options of a call that say what the gateway should hold."""

    def __init__(
        self, params: t.Mapping[str, t.Any], sources: t.Sequence[Source], check_mode: bool, with_diff: bool
    ) -> None:
        self.params = params
        self.check_mode = check_mode
        self.with_diff = with_diff
        self.state: str = params["state"]
        self.document: Document | None = documents.merge(sources) if sources else None
        self.owner_tags = self._owner_tags()

    def _owner_tags(self) -> list[str]:
        tags = list(self.params["select_tags"] or [])
        if self.document is not None:
            tags += [tag for tag in self.document.select_tags if tag not in tags]
        if self.params["owner"]:
            tags.append(f"{MANAGED_BY}{self.params['owner']}")
        for tag in tags:
            if not tag or "," in tag or "/" in tag:
                raise KongError(f"tag {tag!r}: Kong's tags have neither commas nor slashes in them")
        return tags

    def secrets(self) -> set[str]:
        return masks.of_document(self.document.entities, None) if self.document else set()

    def wanted(self) -> Document:
        if self.document is None:
            raise KongError(f"state={self.state} needs a document: give config or src")
        return self.document

    def upstreams(self) -> t.Callable[[Raw], bool]:
        """Which upstreams' targets matter: of those that are wished, and of our own."""
        names: set[t.Any] = set()
        for entity in self.document.entities if self.document else []:
            if entity.kind == "upstreams":
                names.update((entity.fields.get("name"), entity.fields.get("id")))
            elif entity.kind == "targets":
                reference = entity.fields.get("upstream")
                names.update(reference.values() if isinstance(reference, dict) else {reference})
        # Of upstreams that are not wished, only a prune, an export or a removal asks.
        all_of_ours = self.params["prune"] or self.state != "present"
        return lambda item: (
            item["name"] in names or item["id"] in names or (all_of_ours and owned(item, self.owner_tags))
        )


def reachable(nodes: list[Admin], outcome: Outcome) -> tuple[list[tuple[Admin, Node]], list[str]]:
    """The nodes that answer, and why the others don't; nodes of different versions are not one gateway."""
    found: list[tuple[Admin, Node]] = []
    down: list[str] = []
    for admin in nodes:
        try:
            found.append((admin, node(admin)))
        except NodeError as e:
            down.append(str(e))
    if not found:
        raise KongError("; ".join(down))
    versions = {about.version for _admin, about in found}
    if len({about.mode for _admin, about in found}) > 1:
        raise KongError("some nodes have a database and others have none: name those of one gateway only")
    if len(versions) > 1:
        outcome.warnings.append(f"the nodes run different versions of Kong: {', '.join(sorted(versions))}")
    return found, down


def observe(
    admin: Admin, about: Node, schemas: Schemas, wish: Wish, everything: bool = False
) -> tuple[Observed, Catalogue]:
    """What a node has, and the schemas of it and of what is wished."""
    observed = Observed(entities(admin, about.kinds(), (lambda item: True) if everything else wish.upstreams()))
    return observed, catalogue(schemas, wish, observed)


def catalogue(schemas: Schemas, wish: Wish, observed: Observed) -> Catalogue:
    plugins = {str(item.get("name")) for item in observed.lists["plugins"]}
    vaults = {str(item.get("name")) for item in observed.lists["vaults"]}
    for entity in wish.document.entities if wish.document else []:
        if entity.kind == "plugins":
            plugins.add(str(entity.fields.get("name")))
        elif entity.kind == "vaults":
            vaults.add(str(entity.fields.get("name")))
    return schemas.catalogue(plugins, vaults)


def planned(
    make: t.Callable[[Catalogue], Plan], schemas: Schemas, first: Catalogue, again: t.Callable[[], Catalogue]
) -> tuple[Plan, Catalogue]:
    """A plan; one that finds unknown fields is made again with fresh schemas: a plugin may have changed unnoticed."""
    plan = make(first)
    if any("unknown field" in problem for problem in plan.problems) and schemas.from_disk:
        schemas.forget()
        first = again()
        plan = make(first)
    if plan.problems:
        raise Problems(plan.problems)
    return plan, first


def exported(observed: Observed, schemas: Catalogue, wish: Wish, outcome: Outcome) -> None:
    content = export.document(observed, schemas, wish.owner_tags)
    outcome.facts["config"] = export.document(observed, schemas, wish.owner_tags, with_secrets=False)
    store(files.dump(content), wish, outcome)


def store(text: str, wish: Wish, outcome: Outcome) -> None:
    """Writes the document to `dest`, where one is given."""
    path = wish.params["dest"]
    if path and files.differs(path, text):
        outcome.changed = True
        outcome.actions.append(f"write {path}")
        if not wish.check_mode:
            files.write(path, text)


@contextlib.contextmanager
def closing(nodes: list[Admin], outcome: Outcome) -> t.Iterator[None]:
    try:
        yield
    finally:
        outcome.facts["requests"] = sum(admin.requests for admin in nodes)
        for admin in nodes:
            admin.close()
