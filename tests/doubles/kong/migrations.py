# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Migrations of the database, with the names, the order and the words of Kong's own. They change their own record only.

A version knows the migrations that lead to it and to those before. Migrations of "core" are pending after `up` and
executed after `finish`. A node of an older version that finds such a one executed can't go on, as if a column had been
taken away.
"""

from __future__ import annotations

import json
import re
from typing import Any

from .database import MUTEX, TABLES, Database
from .entities import DATA
from .version import VERSION

NEEDS_BOOTSTRAP = (
    "Database needs bootstrapping or is older than Kong 1.0.\n\n"
    "To start a new installation from scratch, run 'kong migrations bootstrap'.\n\n"
    "To migrate from a version older than 1.0, migrated to Kong 1.5.0 first. \n"
    "If you still have 'apis' entities, you can convert them to Routes and Services\n"
    "using the 'kong migrations migrate-apis' command in Kong 1.5.0.\n\n"
)
NEW = "New migrations available; run 'kong migrations up' to proceed"
PENDING = "Database has pending migrations; run 'kong migrations finish'"
NOT_LEADER = "aborted: another node is performing database changes"
Names = dict[str, list[str]]


class Refused(Exception):
    """Kong's `error(...)`; the command ends with 1."""


def known() -> Names:
    """Migrations of this version, by subsystem."""
    mine = tuple(map(int, VERSION.split(".")))
    everything: Names = json.loads((DATA / "migrations.json").read_text(encoding="utf-8"))
    return {name: [one for one in found if _leads_to(one) <= mine] for name, found in everything.items()}


def _leads_to(migration: str) -> tuple[int, ...]:
    match = re.search(r"_to_(\d)(\d+)(\d)$", migration)
    return tuple(map(int, match.groups())) if match else (0,)


class State:
    """What ran, what is pending, and what of this version has not run."""

    def __init__(self, cursor: Any) -> None:
        cursor.execute("SELECT to_regclass('schema_meta')")
        self.needs_bootstrap = cursor.fetchone()[0] is None
        rows = []
        if not self.needs_bootstrap:
            cursor.execute("SELECT subsystem, executed, pending FROM schema_meta WHERE key = 'schema_meta'")
            rows = cursor.fetchall()
        self.rows: dict[str, tuple[list[str], list[str]]] = {
            name: (done or [], left or []) for name, done, left in rows
        }
        self.executed, self.pending, self.new = self._sort(known())
        core = self.rows.get("core", ([], []))[0]
        self.unknown = [name for name in core if name not in known()["core"]]

    def _sort(self, mine: Names) -> tuple[Names, Names, Names]:
        found: tuple[Names, Names, Names] = ({}, {}, {})
        for subsystem, names in mine.items():
            executed, pending = self.rows.get(subsystem, ([], []))
            for name in names:
                found[0 if name in executed else 1 if name in pending else 2].setdefault(subsystem, []).append(name)
        return found


def check(database: Database) -> None:
    """What a node asks before it starts."""
    with database.cursor() as cursor:
        state = State(cursor)
    if state.needs_bootstrap:
        raise Refused(NEEDS_BOOTSTRAP)
    if state.new:
        raise Refused(NEW)


def is_outdated(database: Database) -> bool:
    with database.cursor() as cursor:
        return bool(State(cursor).unknown)


def run(command: str, database: Database) -> int:
    """One of Kong's commands; what it prints, and its exit code."""
    with database.cursor() as cursor:
        if command not in ("list", "status"):
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", (MUTEX,))
            if not cursor.fetchone()[0]:
                print(NOT_LEADER)
                return 0
        return COMMANDS[command](State(cursor), cursor)


def show(state: State, _cursor: Any) -> int:
    if state.needs_bootstrap:
        print(NEEDS_BOOTSTRAP)
        return 3
    for title, names in (("", state.executed), ("Pending migrations:", state.pending), ("New migrations:", state.new)):
        if names:
            print(f"{title}\n{table(names)}")
    if state.pending:
        print("\nRun 'kong migrations finish' when ready")
        return 4
    if state.new:
        print("\nRun 'kong migrations up' to proceed")
        return 5
    return 0


def table(names: Names) -> str:
    width = max(map(len, names))
    return "\n".join(f"{name:>{width}}: {', '.join(found)}" for name, found in names.items())


def status(state: State, _cursor: Any) -> int:
    answer: dict[str, Any] = {"needs_bootstrap": state.needs_bootstrap}
    for kind in ("executed", "pending", "new"):
        names: Names = getattr(state, kind)
        if names:
            answer[f"{kind}_migrations"] = [
                {"subsystem": name, "namespace": f"kong.plugins.{name}.migrations", "migrations": found}
                for name, found in names.items()
            ]
    print(json.dumps(answer))
    return 0


def bootstrap(state: State, cursor: Any) -> int:
    if not state.needs_bootstrap:
        print("Database already bootstrapped")
        return 0
    print("Bootstrapping database...")
    cursor.execute(TABLES)
    for subsystem, names in known().items():
        record(cursor, subsystem, names, [])
    print("Database is up-to-date")
    return 0


def up(state: State, cursor: Any) -> int:
    if state.needs_bootstrap:
        raise Refused(f"Cannot run migrations: {NEEDS_BOOTSTRAP}")
    if state.pending:
        raise Refused(PENDING)
    if not state.new:
        print("Database is already up-to-date")
        return 0
    for subsystem, names in state.new.items():
        executed, pending = state.rows.get(subsystem, ([], []))
        if subsystem == "core":
            record(cursor, subsystem, executed, pending + names)
        else:
            record(cursor, subsystem, executed + names, pending)
    print("\nDatabase has pending migrations; run 'kong migrations finish' when ready")
    return 0


def finish(state: State, cursor: Any) -> int:
    if state.needs_bootstrap:
        raise Refused(f"Cannot run migrations: {NEEDS_BOOTSTRAP}")
    for subsystem in state.pending:
        executed, pending = state.rows[subsystem]
        record(cursor, subsystem, executed + pending, [])
    if state.new:
        print(f"\n{NEW}")
    elif not state.pending:
        print("No pending migrations to finish")
    return 0


def record(cursor: Any, subsystem: str, executed: list[str], pending: list[str]) -> None:
    last = ["", *executed, *pending][-1]
    cursor.execute("DELETE FROM schema_meta WHERE subsystem = %s", (subsystem,))
    row = ("schema_meta", subsystem, last, executed, pending)
    cursor.execute("INSERT INTO schema_meta VALUES (%s, %s, %s, %s, %s)", row)


COMMANDS = {"list": show, "status": status, "bootstrap": bootstrap, "up": up, "finish": finish}
