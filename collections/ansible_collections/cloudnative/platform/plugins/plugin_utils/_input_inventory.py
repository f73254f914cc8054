# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

# Takes from the inventory what is to be judged: hosts, groups, and the values that variables have. Each variable of a
# host is templated once, and only where it is a template.

from __future__ import annotations

import re
import typing as t
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from ansible.errors import AnsibleError, AnsibleUndefinedVariable
from jinja2 import Environment, TemplateSyntaxError

from ansible_collections.cloudnative.platform.plugins.module_utils._input_finding import Finding, showable

try:
    from ansible.template import is_trusted_as_template
except ImportError:
    # Before ansible-core 2.19, what is not to be templated is marked, and not what is.
    def is_trusted_as_template(value: t.Any) -> bool:
        return not getattr(value, "__UNSAFE__", False)


# Groups that every inventory has and that say nothing about a host.
_IMPLICIT = frozenset({"all", "ungrouped"})
_VAULTED = frozenset({"AnsibleVaultEncryptedUnicode", "EncryptedString"})
_MARKS = ("{{", "{%", "{#")
# A template that takes something of that name makes a secret of what it is for.
_SECRET_SOURCE = re.compile(r"passw|secret|token|vault|private", re.IGNORECASE)
# Older versions of Ansible have text in its place, newer ones an exception.
_OMITTED = "__omit_place_holder__"


class Unknown(Exception):
    """A value that only the run itself will know."""


class Undecipherable(Exception):
    """A value that is encrypted with a password that was not given."""


@dataclass
class Inventory:
    """What was read of all hosts. `values` holds secrets as well: it never leaves this process.

    `encrypted` are variables whose values are secret because of where they come from, whatever their names say.
    """

    hosts: list[dict[str, t.Any]] = field(default_factory=list)
    values: dict[str, dict[str, t.Any]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    encrypted: set[str] = field(default_factory=set)
    problems: dict[Finding, list[str]] = field(default_factory=lambda: defaultdict(list))
    warnings: dict[Finding, list[str]] = field(default_factory=lambda: defaultdict(list))


@cache
def syntax_error(text: str) -> str | None:
    """What every templating engine of Ansible will object to, in the words of Jinja itself."""
    try:
        _environment().parse(text)
    except TemplateSyntaxError as error:
        return str(error.message)
    return None


@cache
def _environment() -> Environment:
    return Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"])


def texts(value: t.Any) -> t.Iterator[str]:
    """All text in a value, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from texts(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from texts(part)


def is_marked(text: str) -> bool:
    return any(mark in text for mark in _MARKS)


def templates(value: t.Any) -> list[str]:
    return [text for text in texts(value) if is_marked(text) and is_trusted_as_template(text)]


def is_vaulted(value: t.Any) -> bool:
    if isinstance(value, Mapping):
        return any(is_vaulted(part) for part in value.values())
    if isinstance(value, (list, tuple)):
        return any(is_vaulted(part) for part in value)
    return type(value).__name__ in _VAULTED


def plain(value: t.Any) -> t.Any:
    """As Python's own types, deciphered."""
    if type(value).__name__ in _VAULTED:
        try:
            return str(value)
        except AnsibleError as error:
            raise Undecipherable from error
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    return value


class HostVariables:
    """The variables of one host, as they stand in the inventory and as they come out of the templating engine."""

    def __init__(self, name: str, hostvars: t.Mapping[str, t.Any]) -> None:
        self._name = name
        self._hostvars = hostvars
        self._templated: t.Mapping[str, t.Any] | None = None
        raw_get = getattr(hostvars, "raw_get", None)
        self.raw: t.Mapping[str, t.Any] = raw_get(name) if raw_get else hostvars[name]

    def value(self, name: str) -> t.Any:
        raw = self.raw[name]
        if not templates(raw):
            return plain(raw)
        if self._templated is None:
            self._templated = self._hostvars[self._name]
        try:
            value = plain(self._templated[name])
        except AnsibleUndefinedVariable as error:
            raise Unknown from error
        if any(is_marked(text) or text.startswith(_OMITTED) for text in texts(value)):
            # What older engines give back for a template with something undefined in it.
            raise Unknown
        return value


def read_inventory(
    groups: t.Mapping[str, t.Any],
    hostvars: t.Mapping[str, t.Any],
    wanted: t.Container[str],
    settings: t.Container[str],
    secrets: t.Container[str] = (),
) -> Inventory:
    """All hosts that are in a group of their own, with the values of the `wanted` variables that are known by now.

    `settings` are those of them that are shown and compared between hosts, none of them secret.
    """
    inventory = Inventory()
    member_of: dict[str, list[str]] = defaultdict(list)
    for group, names in groups.items():
        if group not in _IMPLICIT:
            for name in names:
                member_of[str(name)].append(str(group))
    for name in sorted({str(name) for name in groups.get("all") or ()} | set(member_of)):
        variables = HostVariables(name, hostvars)
        inventory.names.update(map(str, variables.raw))
        inventory.values[name] = {}
        for key in variables.raw:
            if key in wanted:
                read_value(inventory, name, variables, str(key), str(key) in secrets)
        if name in member_of:
            shown = {key: value for key, value in inventory.values[name].items() if key in settings}
            inventory.hosts.append(host_of(name, sorted(member_of[name]), variables, shown))
    return inventory


def read_value(inventory: Inventory, host: str, variables: HostVariables, key: str, secret: bool) -> None:
    raw = variables.raw[key]
    if is_vaulted(raw) or any(_SECRET_SOURCE.search(text) for text in templates(raw)):
        inventory.encrypted.add(key)
    hidden = secret or key in inventory.encrypted
    for text in templates(raw):
        wrong = syntax_error(str(text))
        if wrong:
            finding = Finding(
                key,
                None if hidden else showable(str(text)),
                "is not a template" if hidden else f"is not a template: {wrong}",
                "close every {{ and {% in it, or mark the text with !unsafe when it is meant as it stands",
            )
            inventory.problems[finding].append(host)
            return
    try:
        inventory.values[host][key] = variables.value(key)
    except Unknown:
        return
    except Undecipherable:
        remedy = "give the vault password, e.g. with --vault-password-file"
        inventory.problems[Finding(key, None, "cannot be deciphered", remedy)].append(host)
    except Exception as error:
        # Templates may fail in any way. A lookup may need what the run itself makes first, so this is no problem yet.
        if type(error).__name__ == "AnsibleValueOmittedError":
            return
        why = "" if hidden else f": {(str(error).splitlines() or [type(error).__name__])[0][:160]}"
        problem = f"cannot be worked out before the run{why}"
        inventory.warnings[Finding(key, None, problem, "look at its template when the run fails")].append(host)


def host_of(name: str, groups: list[str], variables: HostVariables, settings: dict[str, t.Any]) -> dict[str, t.Any]:
    host: dict[str, t.Any] = {"name": name, "groups": groups, "settings": settings}
    connection = {}
    for key in ("ansible_connection", "ansible_host", "ansible_port"):
        if key in variables.raw:
            try:
                connection[key] = variables.value(key)
            except (Unknown, AnsibleError):
                # Ansible itself will say so when it connects.
                continue
    if connection.get("ansible_connection") != "local":
        host["address"] = connection.get("ansible_host") or name
    if connection.get("ansible_port"):
        host["port"] = connection["ansible_port"]
    facts = (variables.raw.get("ansible_facts") or {}).get("platform_host")
    if facts:
        host["facts"] = facts
    return host
