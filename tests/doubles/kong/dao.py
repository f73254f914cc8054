# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading and writing entities as Kong's DAO does: defaults, foreign keys by name, validation, then the store."""

from __future__ import annotations

import math
import re
import time
import uuid
from typing import Any

from . import errors, hashes, netaddr, pem
from .entities import Entity
from .lua import clone
from .paging import decode_offset, encode_offset, page_size
from .schema import ShorthandError
from .store import Store, Table
from .validators import TAG, UUID, wildcard_host

MAX_TTL = 100000000
DEFAULT_TARGET_PORT = 8000


class Dao:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.catalog = store.catalog

    # Reading

    def select(self, entity: Entity, key: str) -> dict | None:
        """The row a segment of a URL names: by UUID, else by the endpoint key of its entity."""
        table = self.store.table(entity)
        if UUID.match(key):
            return table.alive(table.rows.get(key))
        if entity.endpoint_key is None:
            raise errors.invalid_primary_key({"id": "expected a valid UUID"})
        self.check_unique(entity, entity.endpoint_key, key)
        if not entity.unique_endpoint_key:
            return None
        return table.alive(table.find((entity.endpoint_key,), key))

    @staticmethod
    def check_unique(entity: Entity, field: str, value: str) -> None:
        problem = entity.record.problem(entity.record.fields[field], value)
        if problem:
            raise errors.invalid_unique(field, problem)

    def show(self, entity: Entity, row: dict) -> dict:
        """A row as an answer carries it."""
        if entity.ttl:
            expires = self.store.table(entity).expires.get(row["id"])
            if self.store.dbless:
                return row if expires is None else {**row, "ttl": int(expires - time.time())}
            # Kong rounds down what is left after the statement ran.
            return {**row, "ttl": None if expires is None else math.ceil(expires - time.time()) - 1}
        if entity.name == "certificates":
            return {**row, "snis": self.sni_names(row["id"])}
        return entity.record.shown(row)

    def sni_names(self, certificate: str) -> list[str]:
        snis = self.store.tables["snis"]
        return sorted(snis.rows[i]["name"] for i in snis.by_parent["certificate"].get(certificate, ()))

    def page(self, table: Table, ids: list[str], size: str | None, offset: str | None) -> tuple[list[dict], str | None]:
        rows, last = table.page(ids, page_size(size), self.decode(offset), self.store.dbless)
        return rows, None if last is None else encode_offset([last])

    def decode(self, offset: str | None) -> str | None:
        if offset is None:
            return None
        decoded = decode_offset(offset)
        if decoded is None:
            if self.store.dbless:
                # Behind everything: a page without rows.
                return "~"
            raise errors.invalid_offset(offset)
        return str(decoded[0])

    def filtered(self, table: Table, tags: str | None) -> list[str]:
        """Ids of a top-level list, with its `tags` filter."""
        if tags is None:
            return table.ids
        if tags == "":
            raise errors.invalid_options({"tags": "cannot be null"})
        if self.store.dbless and any(not row.get("tags") for row in table.rows.values()):
            # Kong 3.9.3 crashes over the first entity without tags.
            raise errors.unexpected()
        if re.match(r"^(?:[^,/\x00-\x1f\x7f]+(?:,|\Z))+\Z", tags):
            wanted, every = tags.split(","), True
        elif re.match(r"^(?:[^,/\x00-\x1f\x7f]+(?:/|\Z))+\Z", tags):
            wanted, every = tags.split("/"), False
        else:
            raise errors.invalid_options({"tags": "invalid filter syntax"})
        if len(wanted) > 5:
            raise errors.invalid_options({"tags": "cannot query more than 5 tags"})
        if not TAG.match("".join(wanted)):
            raise errors.invalid_options(
                {"tags": "must only contain printable ascii (except `,` and `/`) or valid utf-8"}
            )
        return table.tagged(wanted, every)

    # Writing

    def insert(self, entity: Entity, args: dict) -> dict:
        snis = self._sni_list(entity, args, None)
        expires = self._ttl(entity, args)
        self._before(entity, args, "insert", None)
        data = self._with_defaults(entity, args, "insert")
        self._resolve(entity, data)
        self._validate(entity, data, args)
        self._transform(entity, data, args)
        self._require_database("create", entity)
        return self._write(entity, data, expires, True, snis)

    def upsert(self, entity: Entity, key: str, args: dict) -> dict:
        """PUT: the entity is what the body says and defaults for the rest; id and name of the URL win."""
        by_id = bool(UUID.match(key))
        if not by_id and entity.endpoint_key is None:
            raise errors.invalid_primary_key({"id": "expected a valid UUID"})
        name = entity.endpoint_key or "id"
        if not by_id:
            self.check_unique(entity, name, key)
        snis = self._sni_list(entity, args, key)
        expires = self._ttl(entity, args)
        self._before(entity, args, "upsert", key)
        data = self._with_defaults(entity, args, "upsert")
        table = self.store.table(entity)
        if by_id:
            data["id"] = key
            exists = key in table.rows
        else:
            data[name] = key
            before = table.find((name,), key) if entity.unique_endpoint_key else None
            exists = before is not None
        self._resolve(entity, data)
        self._validate(entity, data, args)
        self._transform(entity, data, args)
        self._require_database("create or update", entity, None if by_id else entity.endpoint_key)
        if not by_id and entity.name in ("keys", "key_sets"):
            # Kong 3.9.3: "there is no unique or exclusion constraint matching the ON CONFLICT specification".
            raise errors.unexpected()
        if not by_id and exists:
            assert before is not None
            data["id"] = before["id"]
        return self._write(entity, data, expires, not exists, snis, replace_ttl=True)

    def update(self, entity: Entity, key: str, args: dict) -> dict:
        """PATCH: records are merged, everything else replaced."""
        by_id = bool(UUID.match(key))
        snis = self._sni_list(entity, args, key)
        expires = self._ttl(entity, args)
        self._before(entity, args, "update", key)
        data = self._with_defaults(entity, args, "update")
        row = self.select(entity, key)
        if row is None:
            raise errors.absent({"id" if by_id else str(entity.endpoint_key): key}, by_id)
        data = entity.record.merge(data, row)
        self._resolve(entity, data)
        self._validate(entity, data, args, row)
        self._transform(entity, data, args)
        self._require_database("update", entity, None if by_id else entity.endpoint_key)
        data["id"] = row["id"]
        return self._write(entity, data, expires, False, snis)

    def delete(self, entity: Entity, row: dict, by: str | None = None) -> None:
        self._require_database("remove", entity, by)
        if entity.name == "certificates":
            # Kong deletes the SNIs first, and does not bring them back when the certificate turns out to be in use.
            snis = self.store.tables["snis"]
            for identifier in list(snis.by_parent["certificate"].get(row["id"], ())):
                self.store.delete(self.catalog.entities["snis"], identifier)
        if entity.name == "ca_certificates":
            for name in ("services", "plugins"):
                for other in self.store.tables[name].rows.values():
                    used = other.get("ca_certificates") or (other.get("config") or {}).get("ca_certificates") or ()
                    if row["id"] in used:
                        raise errors.referenced_by_others(
                            f"ca certificate {row['id']} is still referenced by {name} (id = {other['id']})"
                        )
        self.store.delete(entity, row["id"])

    def _require_database(self, action: str, entity: Entity, by: str | None = None) -> None:
        if self.store.dbless:
            raise errors.unsupported(action, entity.name, by)

    @staticmethod
    def _with_defaults(entity: Entity, args: dict, context: str) -> dict:
        try:
            return entity.record.with_defaults(clone(args), context)
        except ShorthandError as error:
            raise errors.schema_violation(error.errors) from error

    @staticmethod
    def _validate(entity: Entity, data: dict, original: dict, before: dict | None = None) -> None:
        problems = entity.record.validate(data, before is None, original, before)
        if problems:
            raise errors.schema_violation(problems)

    @staticmethod
    def _ttl(entity: Entity, args: dict) -> float | None:
        """Take `ttl` out of a body; the answer is the expiry, infinity for "none" and None where it is not given."""
        if not entity.ttl or "ttl" not in args:
            return None
        ttl = args.pop("ttl")
        if isinstance(ttl, bool) or not isinstance(ttl, (int, float)):
            raise errors.unexpected()
        if ttl != int(ttl) or not 0 <= ttl <= MAX_TTL:
            raise errors.invalid_options({"ttl": f"must be an integer between 0 and {MAX_TTL}"})
        return time.time() + ttl if ttl else math.inf

    def _resolve(self, entity: Entity, data: dict) -> None:
        """Turn foreign keys given by a unique field into ids."""
        unresolved: dict[str, dict[str, Any]] = {}
        for name, (parent_name, _cascade) in entity.foreign.items():
            value = data.get(name)
            if not isinstance(value, dict) or UUID.match(str(value.get("id", ""))):
                continue
            parent = self.catalog.entities[parent_name]
            problems: dict[str, Any] = {}
            for fields in parent.unique:
                given = value.get(fields[0]) if len(fields) == 1 else None
                if not isinstance(given, str) or parent.record.problem(parent.record.fields[fields[0]], given):
                    continue
                found = self.store.table(parent).find(fields, given)
                if found is not None:
                    data[name] = {"id": found["id"]}
                    problems = {}
                    break
                problems[fields[0]] = (given, parent_name)
            if problems:
                unresolved[name] = problems
            elif UUID.match(str((data[name] or {}).get("id", ""))):
                data[name] = {"id": data[name]["id"]}
        if unresolved:
            raise errors.foreign_keys_unresolved(unresolved)

    @staticmethod
    def _transform(entity: Entity, data: dict, args: dict) -> None:
        if entity.name == "basicauth_credentials" and args.get("password"):
            data["password"] = hashes.password(data["password"], data["consumer"]["id"])
        elif entity.name == "oauth2_credentials" and args.get("hash_secret"):
            # A body that says so has its secret hashed, even one that is a hash already.
            data["client_secret"] = hashes.secret(data["client_secret"])
        elif entity.name == "ca_certificates" and data.get("cert"):
            certificate = pem.certificate(data["cert"])
            data["cert_digest"] = certificate.digest if certificate else None

    def _write(
        self,
        entity: Entity,
        data: dict,
        expires: float | None,
        inserting: bool,
        snis: list[str] | None,
        replace_ttl: bool = False,
    ) -> dict:
        if entity.name == "certificates":
            data.pop("snis", None)
        for name in entity.foreign:
            if isinstance(data.get(name), dict):
                data[name] = {"id": data[name]["id"]}
        if entity.name == "upstreams":
            # slots is NOT NULL in the table; Kong reads any error of that kind as one of the key.
            if data.get("slots") is None:
                raise errors.primary_key_violation({"name": data["name"]})
            entity.record._expand(data)
        if data["id"] is None:
            raise errors.primary_key_violation({"id": None})
        self.store.write(entity, data, inserting)
        table = self.store.table(entity)
        if expires is not None or replace_ttl:
            table.expires.pop(data["id"], None)
            if expires not in (None, math.inf):
                table.expires[data["id"]] = float(expires or 0)
        if entity.name == "certificates" and snis is not None:
            self._replace_snis(data["id"], snis)
        return data

    # What single entities do before they are written

    def _before(self, entity: Entity, args: dict, context: str, key: str | None) -> None:
        if entity.name == "targets" and isinstance(args.get("target"), str) and context == "insert":
            parsed = netaddr.normalize(args["target"])
            if isinstance(parsed, str):
                raise errors.schema_violation({"target": "Invalid target; not a valid hostname or ip address"})
            args["target"] = netaddr.format_host(parsed, DEFAULT_TARGET_PORT)
        elif entity.name == "plugins":
            self._check_protocols(entity, args, context, key)

    def _check_protocols(self, entity: Entity, args: dict, context: str, key: str | None) -> None:
        given = dict(args)
        if context != "insert" and key is not None and not UUID.match(key):
            # Kong checks writes by id only.
            return
        if context == "update" and any(args.get(name) for name in ("protocols", "service", "route")):
            row = self.store.table(entity).rows.get(str(key), {})
            for name in ("protocols", "service", "route"):
                given[name] = given.get(name) or row.get(name)
        protocols = given.get("protocols")
        if not isinstance(protocols, list):
            return
        routes = self.store.tables["routes"]
        if isinstance(given.get("route"), dict):
            route = routes.rows.get(str(given["route"].get("id")))
            if route and not set(protocols) & set(route["protocols"]):
                raise errors.schema_violation({"protocols": "must match the associated route's protocols"})
        elif isinstance(given.get("service"), dict):
            identifier = given["service"].get("id")
            mine = [routes.rows[i] for i in routes.by_parent["service"].get(str(identifier), ())]
            if identifier is None or (mine and not any(set(protocols) & set(r["protocols"]) for r in mine)):
                raise errors.schema_violation(
                    {"protocols": "must match the protocols of at least one route pointing to this Plugin's service"}
                )

    def _sni_list(self, entity: Entity, args: dict, certificate: str | None) -> list[str] | None:
        """The names a certificate is to have; None leaves them as they are."""
        if entity.name != "certificates" or "snis" not in args:
            return None
        names = args["snis"]
        if names is None:
            return []
        if not isinstance(names, list):
            return None
        if not all(isinstance(name, str) for name in names):
            raise errors.unexpected()
        for position, name in enumerate(names):
            if name in names[:position]:
                raise errors.schema_violation({"snis": f"{name} is duplicated"})
        snis = self.store.tables["snis"]
        for name in sorted(names):
            problem = wildcard_host(name)
            if problem:
                raise errors.invalid_unique("name", problem)
            row = snis.find(("name",), name)
            if row and row["certificate"]["id"] != certificate:
                owner = row["certificate"]["id"]
                raise errors.schema_violation(
                    {"snis": f"{name} already associated with existing certificate '{owner}'"}
                )
        return sorted(names)

    def _replace_snis(self, certificate: str, names: list[str]) -> None:
        entity, snis = self.catalog.entities["snis"], self.store.tables["snis"]
        current = set(self.sni_names(certificate))
        for name in sorted(set(names) - current):
            self.insert(entity, {"name": name, "certificate": {"id": certificate}})
        for name in current - set(names):
            row = snis.find(("name",), name)
            if row:
                self.store.delete(entity, row["id"])


def new_id() -> str:
    return str(uuid.uuid4())
