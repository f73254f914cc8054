# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Which rules of a firewall go and which stay, decided from what iptables-save and nft print. Pure."""

from __future__ import annotations

import re
import shlex
import typing as t
from dataclasses import dataclass, field

# Tables and chains that iptables makes by itself; empty, they let everything pass, as if they weren't there.
BUILT_IN_TABLES = ("filter", "nat", "mangle", "raw", "security")
BUILT_IN_CHAINS = ("INPUT", "FORWARD", "OUTPUT", "PREROUTING", "POSTROUTING")


@dataclass
class Table:
    name: str
    chains: dict[str, str] = field(default_factory=dict)  # name -> policy, "-" for a chain that was made
    rules: list[str] = field(default_factory=list)  # as printed: -A CHAIN ...


@dataclass(frozen=True)
class Change:
    """What goes of one table: input for iptables-restore, and whether nothing is left in the table then."""

    table: str
    chains: tuple[str, ...]
    rules: tuple[str, ...]
    blank: bool

    @property
    def needed(self) -> bool:
        return bool(self.chains or self.rules)

    def script(self) -> str:
        """For iptables-restore --noflush. Chains are flushed before any is deleted: they refer to each other."""
        lines = [f"*{self.table}"]
        lines += [rule.replace("-A ", "-D ", 1) for rule in self.rules]
        lines += [f"-F {chain}" for chain in self.chains]
        lines += [f"-X {chain}" for chain in self.chains]
        return "\n".join([*lines, "COMMIT", ""])


def parse_save(text: str) -> list[Table]:
    """Output of iptables-save."""
    tables: list[Table] = []
    for line in text.splitlines():
        if line.startswith("*"):
            tables.append(Table(line[1:].strip()))
        elif line.startswith(":") and tables:
            name, policy = line[1:].split()[:2]
            tables[-1].chains[name] = policy
        elif line.startswith("-A ") and tables:
            tables[-1].rules.append(line)
    return tables


def _option(words: list[str], *names: str) -> str:
    for index, word in enumerate(words[:-1]):
        if word in names:
            return words[index + 1]
    return ""


def plan_tables(text: str, prefixes: t.Sequence[str], comments: t.Sequence[str]) -> list[Change]:
    """Chains whose name begins with one of `prefixes` go, with the rules of other chains that lead to them.

    Rules elsewhere go too when their comment begins with one of `comments`. Whatever else there is stays.
    """
    changes = []
    for table in parse_save(text):
        ours = [name for name in table.chains if name.startswith(tuple(prefixes))]
        leading = []
        staying = 0
        for rule in table.rules:
            words = shlex.split(rule)
            if words[1] in ours:
                continue
            target = _option(words, "-j", "-g", "--jump", "--goto")
            comment = _option(words, "--comment")
            if target in ours or (comment and comment.startswith(tuple(comments))):
                leading.append(rule)
            else:
                staying += 1
        others = [name for name in table.chains if name not in ours and name not in BUILT_IN_CHAINS]
        open_policies = all(table.chains[name] == "ACCEPT" for name in table.chains if name in BUILT_IN_CHAINS)
        blank = not staying and not others and open_policies
        changes.append(Change(table.name, tuple(ours), tuple(leading), blank))
    return changes


def parse_nft_tables(text: str) -> list[str]:
    """Output of `nft list tables`: family and name of each."""
    return [line.split(None, 1)[1].strip() for line in text.splitlines() if line.startswith("table ")]


def holds_only_chains(text: str, dropped: t.Iterable[str]) -> bool:
    """Whether a table, as `nft list table` prints it, has nothing but built-in chains and those that are dropped.

    iptables-save does not print the sets and maps that others may keep in a table.
    """
    allowed = {*BUILT_IN_CHAINS, *dropped}
    for line in text.splitlines():
        match = re.match(r"\t(\w+) (\S+) \{", line)
        if match and (match[1] != "chain" or match[2] not in allowed):
            return False
    return True
