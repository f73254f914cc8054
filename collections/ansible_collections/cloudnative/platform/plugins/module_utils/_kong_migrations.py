# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What has to happen to a gateway's database, and when: pure functions.

An upgrade of several nodes on one database goes: the new version on one node, `up` (the old nodes go on), the other
nodes, and `finish` when the last old one is gone, because that takes away what only the old version needs.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

# Of a subsystem ("core" or a plugin), the names of its migrations.
Names = t.Mapping[str, tuple[str, ...]]
Release = tuple[int, int, int]


class MigrationError(Exception):
    """Nothing can be done; the message says why and what to do."""


@dataclass(frozen=True)
class Schema:
    """What the database says about itself, in the table that Kong keeps there."""

    executed: Names = field(default_factory=dict)
    pending: Names = field(default_factory=dict)


@dataclass(frozen=True)
class Status:
    """What the Kong that is installed thinks of the database."""

    needs_bootstrap: bool = False
    executed: Names = field(default_factory=dict)
    pending: Names = field(default_factory=dict)
    new: Names = field(default_factory=dict)
    missing: Names = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    command: str  # bootstrap, up, finish; empty for none
    text: str = ""
    #: nodes that have to change before the step can be done
    waiting_for: tuple[str, ...] = ()


def parse_settings(text: str) -> dict[str, str]:
    """Settings of a kong.conf. A hash in a value is written with a backslash before it."""
    settings = {}
    for line in text.splitlines():
        line = re.split(r"(?<!\\)#", line, maxsplit=1)[0].strip()
        name, equals, value = line.partition("=")
        if equals:
            settings[name.strip()] = value.strip().replace("\\#", "#")
    return settings


def with_authority(text: str, path: str) -> str:
    """A kong.conf that trusts the certificates in another file: the one that it names may not be there yet."""
    return re.sub(r"(?m)^lua_ssl_trusted_certificate\s*=.*$", f"lua_ssl_trusted_certificate = {path}", text)


def parse_array(text: str | None) -> tuple[str, ...]:
    """PostgreSQL's text of an array of plain words."""
    return tuple(word.strip('"') for word in (text or "{}").strip("{}").split(",") if word)


def schema_of(rows: t.Iterable[t.Sequence[str | None]]) -> Schema | None:
    """Rows of subsystem, executed, pending; None where there are none, as in a database that is new."""
    executed, pending = {}, {}
    for subsystem, done, begun in rows:
        executed[str(subsystem)] = parse_array(done)
        if parse_array(begun):
            pending[str(subsystem)] = parse_array(begun)
    return Schema(executed, pending) if executed else None


def status_of(answer: t.Mapping[str, t.Any]) -> Status:
    """What `kong migrations status` prints."""

    def names(key: str) -> Names:
        # An empty table of Lua is an object in JSON.
        entries = answer.get(key) or []
        return {entry["subsystem"]: tuple(map(_name, entry["migrations"])) for entry in entries}

    return Status(
        bool(answer.get("needs_bootstrap")),
        names("executed_migrations"),
        names("pending_migrations"),
        names("new_migrations"),
        names("missing_migrations"),
    )


def _name(migration: t.Any) -> str:
    return str(migration["name"] if isinstance(migration, dict) else migration)


def count(names: Names) -> int:
    return sum(map(len, names.values()))


def listed(names: Names) -> str:
    return "; ".join(f"{subsystem}: {', '.join(found)}" for subsystem, found in names.items())


def release(version: str) -> Release | None:
    """3.9.3 of "3.9.3", or of "3.9.3.2" of the other edition; None where it is no version."""
    match = re.match(r"^(\d+)\.(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def reached_by(migration: str) -> Release | None:
    """3.9.0 of "024_380_to_390": the version that a migration leads to, its first and last digit one number each."""
    match = re.search(r"_to_(\d)(\d+)(\d)$", migration)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def version_of(schema: Schema) -> Release | None:
    """The newest version that has been at a database."""
    names = [*schema.executed.get("core", ()), *schema.pending.get("core", ())]
    return max((found for found in map(reached_by, names) if found is not None), default=None)


def check(schema: Schema | None, version: str, where: str) -> None:
    """Whether a version may work on a database at all. Kong starts on one that is too new for it, and fails later."""
    found, wanted = version_of(schema) if schema else None, release(version)
    if found is not None and wanted is not None and found > wanted:
        newer = ".".join(map(str, found))
        raise MigrationError(
            f"the database {where} was migrated by Kong {newer} and is newer than Kong {version}, which would not "
            f"understand it: install {newer} or later, or restore the backup of before the upgrade"
        )


def check_known(schema: Schema | None, status: Status, version: str, where: str) -> None:
    """The same by what the installed version knows, for migrations whose name does not tell."""
    core = "core"
    known = {
        name for found in (status.executed, status.pending, status.new, status.missing) for name in found.get(core, ())
    }
    unknown = [name for name in schema.executed.get(core, ()) if name not in known] if schema and known else []
    if unknown:
        raise MigrationError(
            f"the database {where} has migrations that Kong {version} does not know ({', '.join(unknown)}): it was "
            "migrated by a newer Kong; install that version, or restore the backup of before the upgrade"
        )


def plan_up(status: Status, version: str) -> Step:
    """Before the first node with a version starts."""
    if status.needs_bootstrap:
        return Step("bootstrap", f"bootstrap the database for Kong {version}")
    if status.new and status.pending:
        raise MigrationError(
            f"migrations of an earlier upgrade were never finished ({listed(status.pending)}), and Kong {version} has "
            "new ones: install the version of that upgrade on all nodes again, which finishes them, and then this one"
        )
    if status.new:
        return Step("up", f"run {count(status.new)} new migrations of Kong {version} ({listed(status.new)})")
    return Step("")


def plan_finish(status: Status, version: str, nodes: t.Mapping[str, str]) -> Step:
    """When nodes have been replaced: `nodes` has what each of them runs, empty for one of which nothing is known."""
    if status.needs_bootstrap or status.new:
        missing = "was never bootstrapped" if status.needs_bootstrap else f"lacks {listed(status.new)}"
        raise MigrationError(f"the database {missing}, so no migration of Kong {version} can be finished")
    if not status.pending:
        return Step("")
    others = tuple(name for name, found in nodes.items() if found != version)
    if others:
        return Step("", waiting_for=others)
    return Step("finish", f"finish {count(status.pending)} pending migrations ({listed(status.pending)})")
