# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare an answer with a recorded one: equal, but for what a server makes up, which is matched by shape and bound.

A value is bound when it is seen first: from then on the recorded value stands for the one the server gave, in later
requests as in later answers. A binding therefore also checks that an id stays the same over a whole story.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
SHAPES = {
    "uuid": re.compile(UUID.pattern + r"\Z"),
    "token": re.compile(r"[A-Za-z0-9]{32,44}\Z"),
    "hash": re.compile(r"[0-9a-f]{32}\Z"),
    "sha1": re.compile(r"[0-9a-f]{40}\Z"),
}
# Opaque: base64 of the last key.
OFFSET = re.compile(r"[A-Za-z0-9_-]{20,}\Z")
# Seconds since 1970 that were "now" when the recording was made or when the double runs.
_CLOCK = 1_700_000_000
_TIMES = {"created_at", "updated_at"}
# Lists in which the server's order means nothing.
_UNORDERED = {"enabled_plugins", "flattened_errors", "errors", "entity_checks", "one_of", "hosts", "extract", "inject"}
# Fields whose value is the machine's, not the API's.
_MACHINE = {"node_id"}
_NATURAL = ("name", "username", "custom_id", "key", "target", "group", "prefix", "instance_name", "client_id", "kid")


class Bindings:
    """Recorded value -> the value this server made up for it."""

    def __init__(self, derived: bool = True) -> None:
        # Whether this run has everything that the server derives ids from, so that they must be the recorded ones.
        self.derived = derived
        self.known: dict[str, str] = {}
        # Everything a client chose: such a value is never made up by the server.
        self.chosen: set[str] = set()
        # Hashes of a text that a client sent.
        self._of_texts: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def bind(self, recorded: str, actual: str) -> None:
        self.known[recorded] = actual
        self._pattern = None

    def is_derived(self, identifier: str) -> bool:
        """UUIDs of version 5 are derived, all others random."""
        return self.derived and identifier[14] == "5"

    def apply(self, text: str) -> str:
        if not self.known:
            return text
        if self._pattern is None:
            ordered = sorted(self.known, key=len, reverse=True)
            self._pattern = re.compile("|".join(re.escape(item) for item in ordered))
        return self._pattern.sub(lambda match: self.known[match.group()], text)

    def apply_deep(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.apply(value)
        if isinstance(value, dict):
            return {self.apply(key): self.apply_deep(item) for key, item in value.items()}
        return [self.apply_deep(item) for item in value] if isinstance(value, list) else value

    def choose(self, text: str) -> None:
        """Remember what a request carried, and the hashes a server takes of it."""
        self.chosen.update(UUID.findall(text))
        self.chosen.update(re.findall(r"[A-Za-z0-9]{32,44}", text))

    def choose_config(self, recorded: str, actual: str) -> None:
        of_text = hashlib.md5(recorded.encode()).hexdigest()
        self._of_texts.add(of_text)
        self.bind(of_text, hashlib.md5(actual.encode()).hexdigest())

    def forget_hashes(self) -> None:
        """Those of entities, as the times in these are other ones now."""
        made_up = [known for known in self.known if SHAPES["hash"].match(known) and known not in self._of_texts]
        for known in made_up:
            del self.known[known]
        self._pattern = None


class Comparison:
    def __init__(self, bindings: Bindings, lenient_lists: bool = False) -> None:
        self.bindings, self.lenient_lists = bindings, lenient_lists
        self.problems: list[str] = []

    def fail(self, at: str, recorded: Any, actual: Any) -> None:
        self.problems.append(f"{at or 'body'}: recorded {short(recorded)}, got {short(actual)}")

    def value(self, recorded: Any, actual: Any, at: str = "") -> None:
        key = at.rsplit(".", 1)[-1]
        if key in _MACHINE:
            if type(recorded) is not type(actual):
                self.fail(at, recorded, actual)
        elif isinstance(recorded, dict):
            self.table(recorded, actual, at)
        elif isinstance(recorded, list):
            self.sequence(recorded, actual, at)
        elif isinstance(recorded, str):
            self.text(recorded, actual, at)
        elif isinstance(recorded, (int, float)) and not isinstance(recorded, bool):
            self.number(recorded, actual, at)
        elif recorded is not actual and recorded != actual:
            self.fail(at, recorded, actual)

    def table(self, recorded: dict, actual: Any, at: str) -> None:
        if not isinstance(actual, dict):
            self.fail(at, recorded, actual)
            return
        keys = self._keys(recorded, actual)
        for missing in sorted(set(recorded) - set(keys)):
            self.problems.append(f"{at}.{missing}: recorded {short(recorded[missing])}, missing")
        for extra in sorted(set(actual) - set(keys.values())):
            self.problems.append(f"{at}.{extra}: not recorded, got {short(actual[extra])}")
        for key, theirs in keys.items():
            self.value(recorded[key], actual[theirs], f"{at}.{key}")

    def _keys(self, recorded: dict, actual: dict) -> dict[str, str]:
        """Pair keys; ids that the server made up are keys too in answers of /config."""
        pairs = {}
        spare = [key for key in actual if key not in recorded and self.unbound(key)]
        for key in recorded:
            theirs = self.bindings.apply(key)
            if theirs in actual:
                pairs[key] = theirs
            elif self.unbound(key) and spare:
                best = max(spare, key=lambda other: similarity(recorded[key], actual[other]))
                spare.remove(best)
                self.bindings.bind(key, best)
                pairs[key] = best
        return pairs

    def unbound(self, key: str) -> bool:
        return bool(SHAPES["uuid"].match(key)) and not self.bindings.is_derived(key)

    def sequence(self, recorded: list, actual: Any, at: str) -> None:
        if not isinstance(actual, list):
            self.fail(at, recorded, actual)
            return
        if len(recorded) != len(actual):
            self.problems.append(f"{at}: recorded {len(recorded)} items, got {len(actual)}: {short(actual)}")
            return
        key = at.rsplit(".", 1)[-1]
        entities = key == "data" and recorded and isinstance(recorded[0], dict)
        if entities and self.lenient_lists:
            # A page of a list in the order of random ids: which entities stand on it is chance.
            for position, item in enumerate(actual):
                if set(item) != set(recorded[0]):
                    self.fail(f"{at}[{position}]", sorted(recorded[0]), sorted(item))
            return
        pairs = zip(recorded, actual)
        if entities or key in _UNORDERED or key == "fields":
            pairs = zip(recorded, self.aligned(recorded, actual))
        for position, (ours, theirs) in enumerate(pairs):
            self.value(ours, theirs, f"{at}[{position}]")

    def aligned(self, recorded: list, actual: list) -> list:
        """Put the actual items in the order of the recorded ones they resemble most."""
        rest, out = list(actual), []
        for item in recorded:
            wanted = self.bindings.apply_deep(item)
            best = max(rest, key=lambda other: similarity(wanted, other))
            rest.remove(best)
            out.append(best)
        return out

    def number(self, recorded: float, actual: Any, at: str) -> None:
        key = at.rsplit(".", 1)[-1]
        if not isinstance(actual, (int, float)) or isinstance(actual, bool):
            self.fail(at, recorded, actual)
        elif key in _TIMES and recorded > _CLOCK:
            whole = isinstance(recorded, int)
            if actual < _CLOCK or (whole and not isinstance(actual, int)):
                self.fail(at, recorded, actual)
        elif key == "ttl":
            if abs(recorded - actual) > 5:
                self.fail(at, recorded, actual)
        elif recorded != actual:
            self.fail(at, recorded, actual)

    def text(self, recorded: str, actual: Any, at: str) -> None:
        abbreviated = re.match(r"<(\d+) \w+>\Z", recorded)
        if abbreviated and isinstance(actual, list) and len(actual) == int(abbreviated.group(1)):
            return
        if not isinstance(actual, str):
            self.fail(at, recorded, actual)
            return
        wanted = self.bindings.apply(recorded)
        if wanted == actual:
            return
        if recorded in self.bindings.known or recorded in self.bindings.chosen:
            self.fail(at, wanted, actual)
        elif "<LUA>/" in recorded and actual == wanted.replace("<LUA>/", ""):
            # Where the recording left out the machine's path.
            pass
        elif self.made_up(recorded, actual, at):
            self.bindings.bind(recorded, actual)
        elif not self.embedded(recorded, actual):
            self.fail(at, wanted, actual)

    def made_up(self, recorded: str, actual: str, at: str) -> bool:
        """Both look like the same kind of thing a server makes up."""
        if SHAPES["uuid"].match(recorded) and self.bindings.is_derived(recorded):
            return False
        if at.endswith(".offset"):
            return bool(OFFSET.match(recorded) and OFFSET.match(actual))
        return any(shape.match(recorded) and shape.match(actual) for shape in SHAPES.values())

    def embedded(self, recorded: str, actual: str) -> bool:
        """Texts that differ only in made-up values within them: messages with ids, links with offsets."""
        pattern = re.compile(rf"{UUID.pattern}|(?<=offset=)[A-Za-z0-9_-]+|\b[0-9a-f]{{32}}\b|\b[0-9a-f]{{64}}\b")
        ours, theirs = pattern.findall(recorded), pattern.findall(actual)
        if pattern.sub("?", recorded) != pattern.sub("?", actual) or len(ours) != len(theirs):
            return False
        for old, new in zip(ours, theirs):
            if old != new and UUID.fullmatch(old) and self.bindings.is_derived(old):
                return False
            known = self.bindings.known.get(old)
            if known is not None and known != new:
                return False
            if old != new:
                self.bindings.bind(old, new)
        return True


def similarity(recorded: Any, actual: Any) -> float:
    """How much two items have in common; natural keys count most, made-up values nothing."""
    if isinstance(recorded, dict) and isinstance(actual, dict):
        score = 0.0
        if recorded.get("id") is not None and recorded.get("id") == actual.get("id"):
            score += 100
        for key, value in recorded.items():
            if key in actual and key not in _TIMES and key != "id":
                other = actual[key]
                weight = 10 if key in _NATURAL and value is not None else 1
                if isinstance(value, (dict, list)):
                    score += weight if json.dumps(value, sort_keys=True) == json.dumps(other, sort_keys=True) else 0
                elif value == other:
                    score += weight
            elif key not in actual:
                score -= 5
        return score - 5 * len(set(actual) - set(recorded))
    return 1.0 if recorded == actual else 0.0


def short(value: Any, limit: int = 220) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= limit else text[:limit] + "…"
