# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""DB-less configuration: POST /config with its hashes, loading, export, and what survives a restart."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from . import arguments, errors, hashes, netaddr, pem, yaml_reader, yaml_writer
from .dao import DEFAULT_TARGET_PORT
from .declarative_schema import Format, Invalid, Rows
from .flatten_errors import flatten
from .http_server import Request
from .lua import clone
from .paging import Result
from .schema import ShorthandError
from .store import Store

EMPTY_HASH = "0" * 32


class Unparsable(Exception):
    """A text is neither JSON nor YAML."""


class BootError(Exception):
    """The configuration file of a node is broken, so the node does not start."""


def unserialize(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, (dict, list)):
        try:
            value = yaml_reader.load(text)
        except yaml_reader.YamlError as error:
            raise Unparsable(f"failed parsing declarative configuration: {error}") from None
    if not isinstance(value, (dict, list)):
        raise Unparsable("failed parsing declarative configuration: expected an object")
    return value


def md5(text: str) -> str:
    return hashlib.md5(text.encode(errors="surrogateescape"), usedforsecurity=False).hexdigest()


class Declarative:
    def __init__(self, store: Store, prefix: Path | None) -> None:
        self.store = store
        self.format = Format(store.catalog)
        self.hash = EMPTY_HASH
        self.rows: Rows = {}
        # Kong keeps its configuration in LMDB below its prefix.
        self.kept = prefix / "dbless.json" if prefix else None

    def boot(self, file: Path | None) -> None:
        """Load the configuration file, else what the last run kept."""
        if file is not None:
            text = file.read_text(encoding="utf-8")
            try:
                config = unserialize(text)
                rows, meta = self.format.read(config)
            except Unparsable as error:
                raise BootError(str(error)) from error
            except Invalid as error:
                raise BootError(errors.declarative(error.errors).message) from error
            self.load(rows, meta, md5(text))
        elif self.kept is not None and self.kept.exists():
            saved = json.loads(self.kept.read_text(encoding="utf-8"))
            self._activate(saved["rows"], saved["hash"])

    # POST /config

    def post(self, request: Request) -> Result:
        body = arguments.body(request)
        params = {**body, **arguments.query(request)}
        flattened = str(params.pop("flatten_errors", "")).lower() in ("true", "1", "on", "yes")
        # Of all that looks true only the figure counts.
        check_hash = str(params.pop("check_hash", "")) == "1"
        config, text = self._config(request, params)
        new_hash = md5(text) if text is not None else None
        if check_hash and new_hash is not None and new_hash == self.hash:
            return 304, None
        if isinstance(config, list):
            raise errors.unexpected()
        try:
            rows, meta = self.format.read(config)
        except Invalid as error:
            return 400, self._refusal(error.errors, config if flattened else None)
        except ShorthandError:
            # Kong trips over the table that its shorthand did not give it.
            raise errors.unexpected() from None
        self.load(rows, meta, new_hash)
        return 201, rows

    @staticmethod
    def _config(request: Request, params: dict) -> tuple[Any, str | None]:
        """The configuration, and the text its hash is taken of; a bare JSON object has none."""
        if "_format_version" in params:
            return params, None
        text = params.get("config")
        if text is None:
            text = request.body.decode(errors="surrogateescape")
            if not text:
                raise errors.Answer(400, {"message": "expected a declarative configuration"})
        if not isinstance(text, str):
            problem = (
                "failed parsing declarative configuration: lyaml/init.lua:460: "
                "bad argument #1 to 'parser' (must provide a string argument)"
            )
            raise errors.declarative({"error": problem})
        try:
            return unserialize(text), text
        except Unparsable as error:
            raise errors.declarative({"error": str(error)}) from None

    def _refusal(self, problems: dict, config: dict | None) -> dict:
        if config is None:
            return errors.declarative(problems).body()
        listed = flatten(self.store.catalog, config, problems)
        # Lua writes an empty list as an object.
        return {**errors.declarative(problems).body(), "flattened_errors": listed or {}}

    # Loading

    def load(self, rows: Rows, meta: dict, new_hash: str | None) -> None:
        if new_hash is None:
            new_hash = md5(json.dumps([rows, meta], sort_keys=True))
        if not any(rows.values()):
            new_hash = EMPTY_HASH
        stored = clone(rows)
        for name, items in stored.items():
            for row in items.values():
                self._transform(name, row, bool(meta.get("_transform", True)))
        self._activate(stored, new_hash)
        if self.kept is not None:
            self.kept.parent.mkdir(parents=True, exist_ok=True)
            unfinished = self.kept.with_suffix(".new")
            unfinished.write_text(json.dumps({"hash": new_hash, "rows": stored}), encoding="utf-8")
            os.replace(unfinished, self.kept)

    @staticmethod
    def _transform(name: str, row: dict, transform: bool) -> None:
        row.pop("snis", None) if name == "certificates" else None
        if name == "targets":
            parsed = netaddr.normalize(row["target"])
            if isinstance(parsed, netaddr.Host):
                row["target"] = netaddr.format_host(parsed, DEFAULT_TARGET_PORT)
        if not transform:
            return
        if name == "basicauth_credentials":
            row["password"] = hashes.password(row["password"], row["consumer"]["id"])
        elif name == "oauth2_credentials" and row.get("hash_secret"):
            row["client_secret"] = hashes.secret(row["client_secret"])
        elif name == "ca_certificates":
            certificate = pem.certificate(row["cert"])
            row["cert_digest"] = certificate.digest if certificate else None

    def _activate(self, rows: Rows, new_hash: str) -> None:
        with self.store.lock:
            self.rows, self.hash = rows, new_hash
            loaded = []
            for name, items in rows.items():
                for row in items.values():
                    row = dict(row)
                    # An absolute time here, seconds from now in the database mode.
                    loaded.append((name, row, row.pop("ttl", None)))
            self.store.load(loaded)

    def export(self) -> str:
        out: dict[str, Any] = {"_format_version": "3.0", "_transform": False}
        for name, entity in self.store.catalog.entities.items():
            items = []
            for row in self.rows.get(name, {}).values():
                flat = {key: value["id"] if key in entity.foreign and value else value for key, value in row.items()}
                items.append(flat)
            if items:
                out[name] = items
        return yaml_writer.dump(out)
