# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes a lock file: the platform's, and images with the doubles. `bundle_lock_path` makes a bundle of it.

The components are called kong-double, kuma-double and kuma-double-chart, so that nothing takes them for the real thing:
who wants them says `kong_component: kong-double`, or `kuma_component: kuma-double-chart` and `kuma_images`.
kong-double-next says that it is a later Kong, for those who want to see a gateway change its version.
"""

from __future__ import annotations

import copy
import json
import pathlib
import re
import sys
import typing as t

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOCK = ROOT / "collections/ansible_collections/cloudnative/platform/roles/bundle/files/lock.yml"
DOUBLES = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(DOUBLES))
from kuma import definitions  # noqa: E402 - a directory beside this file

VERSIONS = {"kong": "3.9.3", "kuma": "2.14.3"}
#: Of kong-double-next.
NEXT_VERSION = "3.9.4"
PYTHON = "python3.11"
COMMAND = f"""#!/usr/bin/{PYTHON} -B
import sys

sys.path.insert(0, "/usr/lib/NAME-double")
from NAME.container import main

sys.exit(main(sys.argv[1:]))
"""
ABOUT = {
    "licence": "GPL-3.0-or-later AND Apache-2.0",
    "home": "https://github.com/cloudnative-platform/cloudnative.platform",
}


def literal(text: str) -> str:
    """In a lock `{word}` stands for a version; in Python it does not."""
    return re.sub(r"\{(?=[a-z0-9_]+\})", "{opening_brace}", text)


def image(name: str, command: str, user: str, cmd: list[str]) -> dict[str, t.Any]:
    """The component of a double that runs as `command`."""
    double, library = DOUBLES / name, f"/usr/lib/{name}-double"
    files = sorted(path for path in double.rglob("*") if path.suffix in (".py", ".json"))
    tree = [
        {"path": f"{library}/{name}/{path.relative_to(double)}", "content": literal(path.read_text())} for path in files
    ]
    tree.append({"path": command, "content": COMMAND.replace("NAME", name), "mode": "0755"})
    config = {"entrypoint": [command], "cmd": cmd, "user": user, "env": {"PATH": "/usr/local/bin:/usr/bin"}}
    return {
        "name": f"{name}-double",
        "kind": "image",
        "version": VERSIONS[name],
        **ABOUT,
        "ref": f"cloudnative.platform/{name}-double:{{version}}",
        "source": {"debian": ["python"], "tree": tree, "config": config},
    }


def next_version(kong: dict[str, t.Any]) -> dict[str, t.Any]:
    """The component of the double that says it is a later Kong."""
    made = copy.deepcopy(kong)
    made.update(name="kong-double-next", version=NEXT_VERSION, ref="cloudnative.platform/kong-double-next:{version}")
    version = {"path": "/usr/lib/kong-double/kong/data/version.json", "content": f'"{NEXT_VERSION}"\n'}
    made["source"]["tree"].append(version)
    return made


def kuma_chart(real: dict[str, t.Any]) -> dict[str, t.Any]:
    """The manifests of a chart of the double, made as those of Kuma's are: with the same values, by the same recipe."""
    place = DOUBLES / "kuma" / "chart"
    files = {str(path.relative_to(place)): path.read_text() for path in sorted(place.rglob("*")) if path.is_file()}
    for kind, entry in definitions.CRDS.items():
        files[f"crds/kuma.io_{entry['plural']}.yaml"] = json.dumps(definitions.definition(kind))
    return {
        "name": "kuma-double-chart",
        "kind": "files",
        "version": VERSIONS["kuma"],
        **ABOUT,
        "ref": "cloudnative.platform/kuma-double-chart:{version}",
        "files": copy.deepcopy(real["files"]),
        "chart": copy.deepcopy(real["chart"]),
        "source": {"tree": [{"path": path, "content": literal(text)} for path, text in files.items()]},
    }


def with_doubles(lock: dict) -> dict:
    lock["versions"]["opening_brace"] = "{"
    lock["debian"]["layers"]["python"] = {
        "packages": [PYTHON],
        "files": [f"/usr/bin/{PYTHON}", f"/usr/lib/{PYTHON}/*"],
        "disk_mb": 200,
    }
    kuma = next(one for one in lock["components"] if one["name"] == "kuma")
    kong = image("kong", "/usr/local/bin/kong", "1000:1000", ["docker-start"])
    lock["components"] += [
        kong,
        next_version(kong),
        image("kuma", "/usr/local/bin/kuma-cp", "5678:5678", ["run"]),
        kuma_chart(kuma),
    ]
    return lock


def main(target: str) -> None:
    path = pathlib.Path(target).expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(with_doubles(yaml.safe_load(LOCK.read_text())), sort_keys=False))


if __name__ == "__main__":
    main(sys.argv[1])
