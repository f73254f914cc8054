# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The entities of Kong 3.9.3 OSS: where the Admin API serves them, what is unique in them, their compiled schemas."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

from . import custom
from .lua import clone
from .schema import Record, random_string

DATA = Path(__file__).parent / "data"


@dataclass
class Entity:
    name: str
    # Collection in the Admin API, and its last segment below a parent.
    path: str
    nested: str
    # The field that names an entity in a URL where no UUID stands.
    endpoint_key: str | None
    # Unique constraints in the order in which PostgreSQL reports them; more than one field is Kong's cache key.
    unique: list[tuple[str, ...]]
    cache_key: tuple[str, ...] = ()
    ttl: bool = False
    record: Record = field(init=False)
    # Foreign field -> (entity it refers to, whether deleting that one deletes this one).
    foreign: dict[str, tuple[str, bool]] = field(default_factory=dict)

    @property
    def unique_endpoint_key(self) -> bool:
        return self.endpoint_key is not None and (self.endpoint_key,) in self.unique


def _entities() -> list[Entity]:
    scope = ("name", "route", "service", "consumer")
    return [
        Entity("consumers", "consumers", "consumers", "username", [("username",), ("custom_id",)]),
        Entity("certificates", "certificates", "certificates", None, []),
        Entity("services", "services", "services", "name", [("name",)]),
        Entity("routes", "routes", "routes", "name", [("name",)]),
        Entity("snis", "snis", "snis", "name", [("name",)]),
        Entity("upstreams", "upstreams", "upstreams", "name", [("name",)]),
        Entity("targets", "targets", "targets", "target", [("upstream", "target")], ("upstream", "target")),
        Entity("plugins", "plugins", "plugins", "instance_name", [scope, ("instance_name",)], scope),
        Entity("ca_certificates", "ca_certificates", "ca_certificates", None, [("cert_digest",)]),
        Entity("vaults", "vaults", "vaults", "prefix", [("prefix",)], ("prefix",)),
        Entity("key_sets", "key-sets", "key-sets", "name", [("name",)]),
        Entity("keys", "keys", "keys", "name", [("name",), ("kid", "set")], ("kid", "set")),
        Entity("acls", "acls", "acls", None, [("consumer", "group")], ("consumer", "group")),
        Entity("basicauth_credentials", "basic-auths", "basic-auth", "username", [("username",)], ("username",)),
        Entity("hmacauth_credentials", "hmac-auths", "hmac-auth", "username", [("username",)], ("username",)),
        Entity("jwt_secrets", "jwts", "jwt", "key", [("key",)], ("key",)),
        Entity("keyauth_credentials", "key-auths", "key-auth", "key", [("key",)], ("key",), ttl=True),
        Entity("oauth2_credentials", "oauth2", "oauth2", "client_id", [("client_id",)], ("client_id",)),
    ]


def _load(name: str) -> dict[str, Any]:
    return json.loads((DATA / name).read_text(encoding="utf-8"))


class Catalog:
    """Every entity and plugin with its schema, both as `/schemas` shows it and compiled."""

    def __init__(self, dbless: bool) -> None:
        self.shown = _load("entities.json")
        self.plugins = {**_load("plugins.json"), **_load("plugins_unrecorded.json")}
        self.vaults = _load("vaults.json")
        if dbless:
            # Counters of a cluster need its database.
            for name in ("rate-limiting", "response-ratelimiting"):
                policy = _config_field(self.plugins[name], "policy")
                policy["one_of"] = [option for option in policy["one_of"] if option != "cluster"]
        # A node makes up the secret of its sessions when it starts.
        secret = _config_field(self.plugins["session"], "secret")
        secret.pop("default_random", None)
        secret["default"] = random_string() + random_string()[:12]
        self.entities = {entity.name: entity for entity in _entities()}
        self.by_path = {entity.path: entity for entity in self.entities.values()}
        for entity in self.entities.values():
            self._compile(entity)
        for entity in self.entities.values():
            for field_name, (parent, _cascade) in entity.foreign.items():
                for record in (entity.record, *entity.record.subschemas.values()):
                    if field_name in record.fields:
                        record.fields[field_name]["target"] = self.entities[parent].record

    def _compile(self, entity: Entity) -> None:
        shown = clone(self.shown[entity.name])
        entity.record = record = Record(entity.name, shown)
        for entry in shown["fields"]:
            for key, definition in entry.items():
                if definition["type"] == "foreign":
                    entity.foreign[key] = (definition["reference"], definition.get("on_delete") == "cascade")
        _attach(record, entity.name)
        for key, setter in custom.ENTITY_SHORTHANDS.get(entity.name, []):
            record.shorthands.append((key, {"type": "string"}, setter))
        if entity.name == "plugins":
            record.subschema_key = "name"
            record.subschema_error = "plugin '%s' not enabled; add it to the 'plugins' configuration property"
            for name, definition in self.plugins.items():
                record.subschemas[name] = _subschema(f"plugins/{name}", definition, custom.PLUGIN_SHORTHANDS.get(name))
        elif entity.name == "vaults":
            record.subschema_key = "name"
            record.subschema_error = "vault '%s' is not installed"
            for name, definition in self.vaults.items():
                record.subschemas[name] = _subschema(f"vaults/{name}", definition)
        elif entity.name == "routes":
            record.subschema_key = "protocols"
            for name, definition in custom.ROUTE_SUBSCHEMAS.items():
                record.subschemas[name] = _subschema(f"routes/{name}", definition)
        elif entity.name == "basicauth_credentials":
            record.transformations = [(["password"], ["consumer.id"])]

    def children(self, parent: str) -> list[tuple[Entity, str, bool]]:
        """(entity, its foreign field, whether it goes with the parent) for everything that refers to a parent."""
        found = []
        for entity in self.entities.values():
            for field_name, (target, cascade) in entity.foreign.items():
                if target == parent:
                    found.append((entity, field_name, cascade))
        return found


def _config_field(schema: dict, name: str) -> dict:
    config = next(entry["config"] for entry in schema["fields"] if "config" in entry)
    return next(entry[name] for entry in config["fields"] if name in entry)


def _subschema(name: str, definition: dict, shorthands: dict[str, Callable] | None = None) -> Record:
    record = Record(name, clone(definition))
    _attach(record, name)
    config = record.fields.get("config", {}).get("record")
    if config is not None and shorthands:
        config.shorthands = [(key, f, shorthands.get(key, setter)) for key, f, setter in config.shorthands]
    return record


def _attach(record: Record, name: str) -> None:
    """Give a compiled schema the functions it has in Kong and cannot show."""
    for path, function in custom.FIELD_VALIDATORS.get(name, {}).items():
        holder: dict = {"record": record}
        for part in path.split("."):
            bare = part.rstrip("[]{}")
            holder = holder["record"].fields[bare]
            if part.endswith("[]"):
                holder = holder["elements"]
        holder["custom_validator"] = function
    for entry in record.entity_checks:
        rule = entry.get("custom_entity_check")
        if rule is not None:
            rule["fn"] = custom.ENTITY_CHECKS.get((name, tuple(rule["field_sources"])))
