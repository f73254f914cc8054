# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The store in PostgreSQL: instances on one database see each other's writes at once, and a restart loses nothing.

Every use of the store takes the advisory lock of the database, so there is one writer at a time on all instances, and
reads the table again when another instance has written. That is slow and right, which is enough for a double.
"""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import psycopg2  # type: ignore[import-untyped]

from ..store import Resource, Store
from . import settings

SCHEMA_VERSION = 1710856785
_TURN, _LEADER, _MIGRATION = 568101, 568102, 568103
_COLUMNS = "name, mesh, type, spec, creation_time, modification_time, labels, status"
_SCHEMA = """
CREATE TABLE resources (
    name varchar NOT NULL, mesh varchar NOT NULL, type varchar NOT NULL, version integer NOT NULL, spec text,
    creation_time timestamp, modification_time timestamp, owner_name varchar, owner_mesh varchar, owner_type varchar,
    labels jsonb, status jsonb, PRIMARY KEY (name, mesh, type));
CREATE TABLE locks (name varchar PRIMARY KEY);
CREATE TABLE double_revision (number bigint NOT NULL);
INSERT INTO double_revision VALUES (0);
CREATE TABLE double_connections (
    mesh varchar NOT NULL, name varchar NOT NULL, connected timestamptz NOT NULL, seen timestamptz NOT NULL,
    gone timestamptz, PRIMARY KEY (mesh, name));
"""
Values = dict


class DatabaseError(Exception):
    """The database cannot be used; the text is what kuma-cp says."""


def connect(values: Values) -> Any:
    user, name = values["store.postgres.user"], values["store.postgres.dbName"]
    host, port = values["store.postgres.host"], values["store.postgres.port"]
    more = {"sslrootcert": values["store.postgres.tls.caPath"]} if values["store.postgres.tls.caPath"] else {}
    try:
        return psycopg2.connect(
            host=host,
            port=port,
            user=user,
            password=values["store.postgres.password"],
            dbname=name,
            sslmode=settings.TLS[values["store.postgres.tls.mode"]],
            connect_timeout=5,
            application_name="kuma-double",
            **more,
        )
    except psycopg2.OperationalError as error:
        what = " ".join(str(error).split()).rpartition("FATAL: ")[2]
        raise DatabaseError(
            "failed to run beforeBootstrap plugin:'universal': could not connect to postgres: cannot connect to DB: "
            f"failed to connect to `user={user} database={name}`: {host}:{port}: {what}"
        ) from None


def version(connection: Any) -> int | None:
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('schema_migrations')")
        if cursor.fetchone()[0] is None:
            return None
        cursor.execute("SELECT version FROM schema_migrations")
        row = cursor.fetchone()
    return row[0] if row else None


def migrate(connection: Any) -> bool:
    """Whether there was anything to do."""
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_MIGRATION,))
        cursor.execute("CREATE TABLE IF NOT EXISTS schema_migrations (version bigint PRIMARY KEY, dirty boolean)")
        cursor.execute("SELECT version FROM schema_migrations")
        if cursor.fetchone() is not None:
            return False
        cursor.execute(_SCHEMA)
        cursor.execute("INSERT INTO schema_migrations VALUES (%s, false)", (SCHEMA_VERSION,))
    return True


def _micro(text: str) -> str:
    """The database keeps microseconds; without zeros at the end."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    fraction = fraction[:6].rstrip("0")
    return f"{whole}.{fraction}Z" if fraction else f"{whole}Z"


class Turn:
    """The store's lock: taken by a thread of an instance, and by that instance in the database."""

    def __init__(self, store: PostgresStore) -> None:
        self.store, self.threads, self.depth = store, threading.RLock(), 0

    def __enter__(self) -> None:
        self.threads.acquire()
        self.depth += 1
        try:
            if self.depth == 1:
                self.store.begin()
        except BaseException:
            self.depth -= 1
            self.threads.release()
            raise

    def __exit__(self, kind: Any, *_: Any) -> None:
        self.depth -= 1
        try:
            if self.depth == 0:
                self.store.end(kind is None)
        finally:
            self.threads.release()


class PostgresStore(Store):
    def __init__(self, values: Values) -> None:
        super().__init__()
        self.values, self.connection = values, connect(values)
        self.lock = Turn(self)  # type: ignore[assignment]
        self.written = False
        self.leading = False
        with self.lock:
            pass

    # Turns.

    def begin(self) -> None:
        try:
            self.read()
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            # The server was restarted or is another one now.
            self.connection.close()
            self.connection, self.leading, self.revision = connect(self.values), False, -1
            self.read()

    def read(self) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_TURN,))
            cursor.execute("SELECT number FROM double_revision")
            number = cursor.fetchone()[0]
            if number != self.revision or not self._kinds:
                self.load(cursor)
                self.revision = number

    def end(self, good: bool) -> None:
        if good:
            self.connection.commit()
        else:
            self.connection.rollback()
            if self.written:
                self.revision = -1
        self.written = False

    def load(self, cursor: Any) -> None:
        known = {(kind, *key): one.written for kind, table in self._kinds.items() for key, one in table.items()}
        self._kinds, self._order = {}, {}
        cursor.execute(f"SELECT {_COLUMNS} FROM resources WHERE type <> 'Config'")
        form = "%Y-%m-%dT%H:%M:%S.%fZ"
        for name, mesh, kind, spec, created, modified, labels, status in cursor.fetchall():
            first, last = (_micro(moment.strftime(form)) for moment in (created, modified))
            written = known.get((kind, mesh, name), time.monotonic())
            Store.put(self, Resource(kind, mesh, name, first, last, labels or {}, json.loads(spec), status, written))

    # Reading and writing.

    def get(self, kind: str, mesh: str, name: str) -> Resource | None:
        with self.lock:
            return super().get(kind, mesh, name)

    def put(self, resource: Resource) -> None:
        resource = resource._replace(created=_micro(resource.created), modified=_micro(resource.modified))
        with self.lock, self.connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO resources (name, mesh, type, version, spec, creation_time, modification_time, labels, "
                "status) VALUES (%s, %s, %s, 0, %s, %s, %s, %s, %s) ON CONFLICT (name, mesh, type) DO UPDATE SET "
                "version = resources.version + 1, spec = EXCLUDED.spec, creation_time = EXCLUDED.creation_time, "
                "modification_time = EXCLUDED.modification_time, labels = EXCLUDED.labels, status = EXCLUDED.status",
                (
                    *(resource.name, resource.mesh, resource.kind, json.dumps(resource.spec)),
                    *(resource.created.rstrip("Z"), resource.modified.rstrip("Z"), json.dumps(resource.labels)),
                    None if resource.status is None else json.dumps(resource.status),
                ),
            )
            super().put(resource)
            self.count(cursor)

    def delete(self, kind: str, mesh: str, name: str) -> None:
        with self.lock, self.connection.cursor() as cursor:
            if super().get(kind, mesh, name) is None:
                return
            cursor.execute("DELETE FROM resources WHERE name = %s AND mesh = %s AND type = %s", (name, mesh, kind))
            super().delete(kind, mesh, name)
            self.count(cursor)

    def count(self, cursor: Any) -> None:
        self.written = True
        cursor.execute("UPDATE double_revision SET number = number + 1 RETURNING number")
        self.revision = cursor.fetchone()[0]

    def cluster_id(self, made: str) -> str:
        """The one that the first instance has made."""
        with self.lock, self.connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO resources (name, mesh, type, version, spec) VALUES ('kuma-cluster-id', '', 'Config', 0, "
                "%s) ON CONFLICT DO NOTHING",
                (made,),
            )
            cursor.execute("SELECT spec FROM resources WHERE type = 'Config' AND name = 'kuma-cluster-id'")
            return str(cursor.fetchone()[0])

    def leads(self) -> bool:
        """The lock of the session: another instance gets it when this one is gone."""
        with self.lock, self.connection.cursor() as cursor:
            if not self.leading:
                cursor.execute("SELECT pg_try_advisory_lock(%s)", (_LEADER,))
                self.leading = bool(cursor.fetchone()[0])
            return self.leading

    # Connections of proxies, which all instances have to know.

    def connected(self, mesh: str, name: str, first: bool) -> None:
        with self.lock, self.connection.cursor() as cursor:
            moved = "connected = now(), gone = NULL, " if first else ""
            cursor.execute(
                "INSERT INTO double_connections VALUES (%s, %s, now(), now(), NULL) ON CONFLICT (mesh, name) DO UPDATE "
                f"SET {moved}seen = now()",
                (mesh, name),
            )

    def disconnected(self, mesh: str, name: str) -> None:
        with self.lock, self.connection.cursor() as cursor:
            cursor.execute("UPDATE double_connections SET gone = now() WHERE mesh = %s AND name = %s", (mesh, name))

    def online(self, seconds: float) -> set[tuple[str, str]]:
        with self.lock, self.connection.cursor() as cursor:
            cursor.execute(
                "SELECT mesh, name FROM double_connections WHERE gone IS NULL AND "
                "seen > now() - make_interval(secs => %s)",
                (seconds,),
            )
            return set(cursor.fetchall())

    def left(self, seconds: float) -> list[tuple[str, str]]:
        """Proxies that said goodbye that long ago; they are told of once."""
        with self.lock, self.connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM double_connections WHERE gone < now() - make_interval(secs => %s) RETURNING mesh, name",
                (seconds,),
            )
            return list(cursor.fetchall())
