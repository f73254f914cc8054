# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The database of a node: a real PostgreSQL that holds what the node would otherwise have in memory.

Entities are rows of JSON text, and a number counts the writes, so that the other nodes see that they are behind.
Migrations are kept in `schema_meta`, a table as Kong's. The driver is Debian's python3-psycopg2, needed here only.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from . import errors

if TYPE_CHECKING:
    from .store import Store

TABLES = """
CREATE TABLE schema_meta (
  key text, subsystem text, last_executed text, executed text[], pending text[], PRIMARY KEY (key, subsystem));
CREATE TABLE double_entities (
  entity text, id text, content text NOT NULL, expires double precision, PRIMARY KEY (entity, id));
CREATE TABLE double_writes (number bigint NOT NULL);
INSERT INTO double_writes VALUES (0);
"""
# Any number that nobody else takes; `kong migrations` of two nodes at once exclude each other with it.
MUTEX = 3939


class Unreachable(Exception):
    """The server is away, or lets nobody in; the text is its own."""


class Database:
    def __init__(self, settings: Mapping[str, str]) -> None:
        self.settings = settings
        self.lock = threading.RLock()
        self.connection: Any = None
        self.seen = -1

    def connect(self) -> Any:
        import psycopg2  # type: ignore[import-untyped,unused-ignore]

        get = self.settings.get
        encrypted = get("pg_ssl", "off") == "on"
        verified = encrypted and get("pg_ssl_verify", "off") == "on"
        trusted = [path.strip() for path in get("lua_ssl_trusted_certificate", "").split(",") if "/" in path]
        try:
            return psycopg2.connect(
                host=get("pg_host", "127.0.0.1"),
                port=int(get("pg_port", "5432")),
                dbname=get("pg_database", "kong"),
                user=get("pg_user", "kong"),
                password=get("pg_password", ""),
                connect_timeout=5,
                sslmode="verify-full" if verified else "require" if encrypted else "disable",
                **({"sslrootcert": trusted[0]} if verified and trusted else {}),
            )
        except psycopg2.OperationalError as error:
            raise Unreachable(str(error).strip()) from error

    @contextlib.contextmanager
    def cursor(self) -> Iterator[Any]:
        """One transaction. A connection that broke is opened anew by the next one."""
        import psycopg2

        with self.lock:
            if self.connection is None:
                self.connection = self.connect()
            try:
                with self.connection, self.connection.cursor() as cursor:
                    yield cursor
            except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
                with contextlib.suppress(psycopg2.Error):
                    self.connection.close()
                self.connection = None
                # What is in memory may not have got there.
                self.seen = -1
                raise Unreachable(str(error).strip()) from error

    def is_reachable(self) -> bool:
        try:
            with self.cursor() as cursor:
                cursor.execute("SELECT 1")
        except Unreachable:
            return False
        return True

    @contextlib.contextmanager
    def transaction(self, store: Store, writing: bool) -> Iterator[None]:
        """Brings the tables in memory up to date before a request, and writes down what the request changed.

        What it changed before it failed is kept too, as the tables in memory keep it.
        """
        try:
            with self.cursor() as cursor:
                self.read(cursor, store, writing)
                try:
                    yield
                except (errors.KongError, errors.Answer):
                    self.write(cursor, store)
                    # The transaction ends well, and the answer is what it is.
                    cursor.connection.commit()
                    raise
                self.write(cursor, store)
        except Unreachable as error:
            raise errors.unexpected() from error

    def refresh(self, store: Store) -> None:
        with self.cursor() as cursor:
            self.read(cursor, store, False)

    def read(self, cursor: Any, store: Store, writing: bool) -> None:
        cursor.execute("SELECT number FROM double_writes" + (" FOR UPDATE" if writing else ""))
        number = cursor.fetchone()[0]
        if number == self.seen:
            return
        cursor.execute("SELECT entity, content, expires FROM double_entities")
        store.load((name, json.loads(content), expires) for name, content, expires in cursor.fetchall())
        store.record_changes()
        self.seen = number

    def write(self, cursor: Any, store: Store) -> None:
        changed = store.take_changes()
        for name, identifier in changed:
            table = store.tables[name]
            cursor.execute("DELETE FROM double_entities WHERE entity = %s AND id = %s", (name, identifier))
            if identifier in table.rows:
                row = (name, identifier, json.dumps(table.rows[identifier]), table.expires.get(identifier))
                cursor.execute("INSERT INTO double_entities VALUES (%s, %s, %s, %s)", row)
        if changed:
            cursor.execute("UPDATE double_writes SET number = number + 1 RETURNING number")
            self.seen = cursor.fetchone()[0]
