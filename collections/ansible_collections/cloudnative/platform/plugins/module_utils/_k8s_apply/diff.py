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


def render(before: Object | None, after: Object | None) -> dict[str, str]:
    """One entry of a module's `diff`."""
    label = label_of(after or before or {})
    hidden = masked(normalise(before), normalise(after))
    texts = ["" if side is None else yaml.safe_dump(side, default_flow_style=False) for side in hidden]
    return {"before_header": label, "after_header": label, "before": texts[0], "after": texts[1]}
