# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The definitions of the custom resources, as the API server needs them, out of the schemas that the double has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from . import schema

CRDS: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "crds.json").read_text(encoding="utf-8"))
_ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
# What Kubernetes knows of a schema; the rest are notes on how Go keeps a value.
_PLAIN = ("type", "enum", "required", "pattern", "default", "minLength", "maxLength", "minItems", "maxItems", "minimum")
_EXTENSIONS = ("maximum", "x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields")


def structural(given: dict[str, Any]) -> dict[str, Any]:
    found = schema.resolve(given)
    made = {key: found[key] for key in (*_PLAIN, *_EXTENSIONS) if key in found}
    if "properties" in found:
        made["properties"] = {name: structural(field) for name, field in found["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(found.get(key), dict):
            made[key] = structural(found[key])
    if "type" not in made and "x-kubernetes-int-or-string" not in made:
        # A value of any kind.
        made = {"x-kubernetes-preserve-unknown-fields": True}
    return made


def definition(kind: str) -> dict[str, Any]:
    entry = CRDS[kind]
    spec = structural(schema.KINDS[kind]) if kind in schema.KINDS else _ANYTHING
    text = {"type": "string"}
    properties = {"apiVersion": text, "kind": text, "metadata": {"type": "object"}, "spec": spec, "status": _ANYTHING}
    if kind not in schema.KINDS:
        properties["mesh"] = text
    version = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}},
    }
    if entry.get("status"):
        version["subresources"] = {"status": {}}
    names = {"kind": kind, "listKind": f"{kind}List", "plural": entry["plural"], "singular": kind.lower()}
    names["categories"] = ["kuma"]
    if "short" in entry:
        names["shortNames"] = [entry["short"]]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{entry['plural']}.kuma.io"},
        "spec": {
            "group": "kuma.io",
            "names": names,
            "scope": "Namespaced" if entry["namespaced"] else "Cluster",
            "versions": [version],
        },
    }
