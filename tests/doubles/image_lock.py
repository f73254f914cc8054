# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes a lock file: the platform's, and an image with the double of Kong. `bundle_lock_path` makes a bundle of it.

The component is called kong-double, so that nothing takes it for Kong: who wants it says `kong_component: kong-double`.
kong-double-next says that it is a later Kong, for those who want to see a gateway change its version.
"""

from __future__ import annotations

import copy
import pathlib
import re
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOCK = ROOT / "collections/ansible_collections/cloudnative/platform/roles/bundle/files/lock.yml"
DOUBLE = pathlib.Path(__file__).resolve().parent / "kong"
LIBRARY = "/usr/lib/kong-double"
VERSION = "3.9.3"
#: Of kong-double-next.
NEXT_VERSION = "3.9.4"
PYTHON = "python3.11"
COMMAND = f"""#!/usr/bin/{PYTHON} -B
import sys

sys.path.insert(0, "{LIBRARY}")
from kong.container import main

sys.exit(main(sys.argv[1:]))
"""


def literal(text: str) -> str:
    """In a lock `{word}` stands for a version; in Python it does not."""
    return re.sub(r"\{(?=[a-z0-9_]+\})", "{opening_brace}", text)


def next_version(kong: dict) -> dict:
    """The component of the double that says it is a later Kong."""
    made = copy.deepcopy(kong)
    made.update(name="kong-double-next", version=NEXT_VERSION, ref="cloudnative.platform/kong-double-next:{version}")
    version = {"path": "/usr/lib/kong-double/kong/data/version.json", "content": f'"{NEXT_VERSION}"\n'}
    made["source"]["tree"].append(version)
    return made


def with_doubles(lock: dict) -> dict:
    lock["versions"]["opening_brace"] = "{"
    lock["debian"]["layers"]["python"] = {
        "packages": [PYTHON],
        "files": [f"/usr/bin/{PYTHON}", f"/usr/lib/{PYTHON}/*"],
        "disk_mb": 200,
    }
    files = sorted(path for path in DOUBLE.rglob("*") if path.suffix in (".py", ".json"))
    tree = [
        {"path": f"{LIBRARY}/kong/{path.relative_to(DOUBLE)}", "content": literal(path.read_text())} for path in files
    ]
    tree.append({"path": "/usr/local/bin/kong", "content": COMMAND, "mode": "0755"})
    lock["components"].append(
        {
            "name": "kong-double",
            "kind": "image",
            "version": VERSION,
            "licence": "GPL-3.0-or-later AND Apache-2.0",
            "home": "https://github.com/cloudnative-platform/cloudnative.platform",
            "ref": "cloudnative.platform/kong-double:{version}",
            "source": {
                "debian": ["python"],
                "tree": tree,
                "config": {
                    "entrypoint": ["/usr/local/bin/kong"],
                    "cmd": ["docker-start"],
                    "user": "1000:1000",
                    "env": {"PATH": "/usr/local/bin:/usr/bin"},
                },
            },
        }
    )
    lock["components"].append(next_version(lock["components"][-1]))
    return lock


def main(target: str) -> None:
    path = pathlib.Path(target).expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(with_doubles(yaml.safe_load(LOCK.read_text())), sort_keys=False))


if __name__ == "__main__":
    main(sys.argv[1])
