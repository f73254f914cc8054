# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What differs between an object before and after, as a person wants to see it. Pure."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.definitions import label_of

yaml: t.Any = None
with contextlib.suppress(ImportError):  # the `kubernetes` library brings it; a module reports that one as missing
    import yaml

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

# What the server keeps for itself; a difference in these alone is no change.
_SERVER_METADATA = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)
# Written by controllers at any moment, so also between our two looks.
_CONTROLLER_ANNOTATIONS = ("deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation")

# What tells the items of a list apart, as the API's own merge keys do.
_IDENTITIES = ("name", "key", "type", "topologyKey", "mountPath", "containerPort", "port")

Object = dict[str, t.Any]


def normalise(body: Object | None) -> Object | None:
    """The part of an object that is anybody's wish."""
    if body is None:
        return None
    result = {key: value for key, value in body.items() if key != "status"}
    metadata = {key: value for key, value in (body.get("metadata") or {}).items() if key not in _SERVER_METADATA}
    annotations = {
        key: value for key, value in (metadata.get("annotations") or {}).items() if key not in _CONTROLLER_ANNOTATIONS
    }
    metadata.pop("annotations", None)
    if annotations:
        metadata["annotations"] = annotations
    result["metadata"] = metadata
    return result


def is_changed(before: Object | None, after: Object | None) -> bool:
    if before is None or after is None:
        return before is not after
    return normalise(before) != normalise(after)


def masked(before: Object | None, after: Object | None) -> tuple[Object | None, Object | None]:
    """Both sides without the values of a Secret; that a value changed stays visible."""
    if "Secret" not in {(side or {}).get("kind") for side in (before, after)}:
        return before, after
    sides: list[Object | None] = []
    for side, other, word in ((before, after, "old"), (after, before, "new")):
        if side is None:
            sides.append(None)
            continue
        side = dict(side)
        for field in ("data", "stringData"):
            if isinstance(side.get(field), dict):
                theirs = (other or {}).get(field) or {}
                side[field] = {
                    key: "<hidden>" if theirs.get(key) == value else f"<hidden, {word} value>"
                    for key, value in side[field].items()
                }
        metadata = dict(side.get("metadata") or {})
        if LAST_APPLIED in (metadata.get("annotations") or {}):
            metadata["annotations"] = {**metadata["annotations"], LAST_APPLIED: "<hidden>"}
        side["metadata"] = metadata
        sides.append(side)
    return sides[0], sides[1]


def changed_fields(before: t.Any, after: t.Any) -> tuple[t.Any, t.Any]:
    """Both sides with nothing but what differs; an item of a list that has a name keeps it."""
    if isinstance(before, dict) and isinstance(after, dict):
        sides: tuple[Object, Object] = ({}, {})
        for key in [*before, *(key for key in after if key not in before)]:
            if key in before and key in after:
                pair = changed_fields(before[key], after[key]) if before[key] != after[key] else ({}, {})
                for side, value in zip(sides, pair):
                    # Of what only one side has, the other side says nothing at all.
                    if value not in ({}, []):
                        side[key] = value
            else:
                side, value = (sides[0], before[key]) if key in before else (sides[1], after[key])
                side[key] = value
        return sides
    if isinstance(before, list) and isinstance(after, list):
        return _changed_items(before, after)
    return before, after


def _changed_items(before: list[t.Any], after: list[t.Any]) -> tuple[list[t.Any], list[t.Any]]:
    identity = next((key for key in _IDENTITIES if _names(before, key) and _names(after, key)), None)
    if identity is None:
        only = [one for one in before if one not in after], [one for one in after if one not in before]
        # The same items in another order, or one of them twice.
        return only if any(only) else (before, after)
    theirs = {one[identity]: one for one in after}
    ours = {one[identity]: one for one in before}
    gone = [one for one in before if one[identity] not in theirs]
    new = [one for one in after if one[identity] not in ours]
    for name, one in ours.items():
        if name in theirs and one != theirs[name]:
            sides = changed_fields(one, theirs[name])
            gone.append({identity: name, **sides[0]})
            new.append({identity: name, **sides[1]})
    return (gone, new) if gone or new else (before, after)


def _names(items: list[t.Any], key: str) -> bool:
    """Whether every item has a name of its own under `key`."""
    names = [one.get(key) if isinstance(one, dict) else None for one in items]
    return all(isinstance(name, (str, int)) for name in names) and len(set(names)) == len(names)


def as_yaml(body: Object) -> str:
    """YAML for people: a text of several lines stands there as such."""

    class Dumper(yaml.SafeDumper):
        pass

    def text(dumper: t.Any, value: str) -> t.Any:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    return str(yaml.dump(body, Dumper=Dumper, default_flow_style=False, width=1000, allow_unicode=True))


def render(before: Object | None, after: Object | None) -> dict[str, str]:
    """One entry of a module's `diff`: a new object as a whole, of a changed one the fields that change."""
    label = label_of(after or before or {})
    hidden = masked(normalise(before), normalise(after))
    if None not in hidden:
        hidden = changed_fields(*hidden)
    texts = [as_yaml(side) if side else "" for side in hidden]
    return {"before_header": label, "after_header": label, "before": texts[0], "after": texts[1]}
