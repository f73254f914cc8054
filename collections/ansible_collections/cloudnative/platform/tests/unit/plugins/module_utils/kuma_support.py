# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a real control plane answered, and short ways to say what is wished."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.documents import Key, Wanted, key_of, read

FIXTURES = Path(__file__).parent / "fixtures" / "kuma"
OWNER = "cloudnative.platform/owner"


def load(name: str) -> t.Any:
    return json.loads((FIXTURES / f"{name}.json").read_text())


def resource(kind: str, name: str = "one", mesh: str | None = "default", **more: t.Any) -> dict[str, t.Any]:
    return {"type": kind, "name": name, **({"mesh": mesh} if mesh else {}), **more}


def timeout(name: str = "one", connect: str = "1s", **more: t.Any) -> dict[str, t.Any]:
    spec = {"to": [{"targetRef": {"kind": "Mesh"}, "default": {"connectionTimeout": connect}}]}
    return resource("MeshTimeout", name, **{"spec": spec, **more})


def wanted(*bodies: dict[str, t.Any], owner: str | None = None) -> list[Wanted]:
    return read([(f"resources[{number}]", body) for number, body in enumerate(bodies)], "default", owner)


def there(*bodies: dict[str, t.Any]) -> dict[Key, dict[str, t.Any]]:
    return {key_of(body): body for body in bodies}


def stored(body: dict[str, t.Any], **labels: str) -> dict[str, t.Any]:
    """As a zone keeps it."""
    computed = {
        "kuma.io/mesh": "default",
        "kuma.io/origin": "zone",
        "kuma.io/zone": "default",
        "kuma.io/env": "universal",
    }
    return {
        **body,
        "labels": {**(body.get("labels") or {}), **computed, **labels},
        "creationTime": "2026-11-22T11:57:02Z",
    }
