#!/usr/bin/python
# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bundle
short_description: Make the bundle of all artifacts of a platform
version_added: 0.1.0
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
description:
  - Makes an OCI image layout directory that holds every artifact of a lock file - images, binaries, manifests - with a
    bill of materials.
  - Runs on the controller. Every artifact comes from one of its origins and is checked against the lock.
  - Finished components are kept in a cache by what they are made of; a run that was killed goes on where it stopped.
extends_documentation_fragment:
  - cloudnative.platform._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
requirements:
  - PyYAML on the controller's Python
  - for O(origins=source), pip on the controller's Python, apt-get, dpkg-deb, and a C compiler with libseccomp's headers
options:
  path:
    description: Directory of the bundle.
    type: path
    required: true
  cache_path:
    description: Directory of everything that makes a later run faster - downloads, Go's caches, finished components.
    type: path
    required: true
  lock_path:
    description: The lock file.
    type: path
    required: true
  source_path:
    description: Directory with one directory with a C(go.mod) for each entry of the lock's C(go).
    type: path
    required: true
  origins:
    description: Origins that may be used, tried in this order.
    type: list
    elements: str
    choices: [release, source]
    default: [release, source]
  components:
    description: Names of the lock's components that the bundle holds, or V(all).
    type: list
    elements: str
    default: [all]
  refresh:
    description:
      - Components that are made again although the cache has them, or V(all). Of use where parts of Debian packages
        have had security updates.
    type: list
    elements: str
    default: []
  platform:
    description: Platform the artifacts are for.
    type: str
    choices: [linux/amd64, linux/arm64]
    default: linux/amd64
  allow_unknown_digest:
    description:
      - Take artifacts whose digest the lock doesn't know. What was found is then written into C(bundle.json) and
        returned as RV(unknown_digests).
    type: bool
    default: false
  release_mirrors:
    description:
      - Where publishers' addresses lead, as C({"https://dl.k8s.io":"https://mirror.example.com/k8s"}). Also for
        registries, as C({"https://registry.k8s.io":"https://mirror.example.com"}).
    type: dict
    default: {}
  debian_mirror:
    description: Mirror of the Debian archive.
    type: str
    default: http://deb.debian.org/debian
  debian_security_mirror:
    description: Mirror of Debian's security updates.
    type: str
    default: http://deb.debian.org/debian-security
  jobs:
    description: Number of downloads at a time.
    type: int
    default: 8
  build_jobs:
    description: Number of components that are built from source at a time. Each takes up to 3 GB of memory.
    type: int
    default: 2
  progress_path:
    description: File that says what is being done while it is done. By default C(progress.log) in O(cache_path).
    type: path
"""

EXAMPLES = r"""
- name: Make the bundle
  cloudnative.platform.bundle:
    path: /srv/bundle
    cache_path: /var/cache/cloudnative-platform
    lock_path: lock.yml
    source_path: go
  register: made

- name: Make a small bundle from source only
  cloudnative.platform.bundle:
    path: /srv/bundle
    cache_path: /var/cache/cloudnative-platform
    lock_path: lock.yml
    source_path: go
    origins: [source]
    components: [kubeadm, kubelet, kubectl]
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode.
  returned: always
  type: list
  elements: str
  sample: ["kubelet v1.36.4: from source", "added 3 blobs"]
components:
  description: The bundle's components by name, as C(bundle.json) has them.
  returned: when not in check mode, or when nothing is missing
  type: dict
missing:
  description: Components that weren't in the cache, with the origins that are tried.
  returned: always
  type: list
  elements: dict
  sample: [{"name": "kubelet", "version": "v1.36.4", "origins": ["source"]}]
unobtainable:
  description: Optional components that no allowed origin has, with the reason.
  returned: always
  type: list
  elements: dict
unknown_digests:
  description: Sums that the lock doesn't know, by component.
  returned: when not in check mode, or when nothing is missing
  type: dict
messages:
  description: What happened on the way that is no failure, such as hosts that don't answer.
  returned: always
  type: list
  elements: str
index_digest:
  description: Digest of the layout's C(index.json).
  returned: when not in check mode
  type: str
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle import layout
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.builder import (
    Builder,
    CacheLock,
    Step,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.common import (
    BundleError,
    read_json,
    sha256_file,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.debian import Debian
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.golang import Go
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.lock import Lock, parse
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.process import end_with_reader
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.progress import (
    Progress,
    terminal_of_ansible,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.recipe import Kitchen
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.release import Releases

try:
    import yaml

    HAS_YAML = True
except ImportError:
    HAS_YAML = False


def read_lock(path: str, architecture: str) -> Lock:
    try:
        with open(path, "rb") as stream:
            text = stream.read()
        data = yaml.safe_load(text)
    except OSError as error:
        raise BundleError(f"{path}: can't be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise BundleError(f"{path}: is no YAML: {error}") from error
    return parse(data, text, architecture)


def summary(bundle: dict[str, t.Any] | None) -> dict[str, t.Any]:
    """What a diff shows of a bundle."""
    components = (bundle or {}).get("components", [])
    return {
        component["name"]: f"{component['version']} from {component['origin']}, {component['digest']}"
        for component in components
    }


def make(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    architecture = params["platform"].partition("/")[2]
    lock = read_lock(params["lock_path"], architecture)
    components = lock.select(params["components"])
    lock.select(params["refresh"])
    cache, path = os.path.abspath(params["cache_path"]), os.path.abspath(params["path"])
    messages: list[str] = []
    progress: Progress | None = None

    def report(text: str) -> None:
        messages.append(text)
        if progress:
            progress.say(text)

    def builder() -> Builder:
        kitchen = Kitchen(
            lock,
            cache,
            Go(lock, params["source_path"], cache),
            Releases(params["release_mirrors"], report),
            Debian(
                lock.debian["suite"], architecture, cache, params["debian_mirror"], params["debian_security_mirror"]
            ),
            params["allow_unknown_digest"],
        )
        return Builder(kitchen, components, params["origins"], params["jobs"], params["build_jobs"], params["refresh"])

    if check_mode:
        return {**predict(builder(), path), "messages": messages}
    end_with_reader()
    log = params["progress_path"] or os.path.join(cache, "progress.log")
    progress = Progress(log, len(components), terminal_of_ansible())
    try:
        with CacheLock(cache, progress.say):
            result = build(builder(), path, progress)
    except BundleError as error:
        progress.say(f"FAILED: {error}")
        raise
    finally:
        progress.close()
    return {**result, "messages": messages}


def of_steps(steps: list[Step], unobtainable: list[dict[str, str]]) -> dict[str, t.Any]:
    missing = [step for step in steps if not step.record]
    return {
        "actions": [step.sentence() for step in missing],
        "missing": [
            {"name": step.component.name, "version": step.component.version, "origins": step.origins}
            for step in missing
        ],
        "unobtainable": unobtainable,
    }


def of_bundle(old: dict[str, t.Any] | None, bundle: dict[str, t.Any]) -> dict[str, t.Any]:
    return {
        "components": layout.components_map(bundle),
        "unknown_digests": {
            component["name"]: component["unknown_digests"]
            for component in bundle["components"]
            if "unknown_digests" in component
        },
        "diff": {"before": summary(old), "after": summary(bundle)},
    }


def predict(builder: Builder, path: str) -> dict[str, t.Any]:
    """What a build would do."""
    old = read_json(os.path.join(path, "bundle.json"))
    steps, unobtainable = builder.plan()
    missing = [step for step in steps if not step.record]
    for step in missing:
        step.origins = builder.reachable_origins(step)
    result = of_steps(steps, unobtainable)
    if not missing:
        bundle = builder.bundle({step.component.name: step.record or {} for step in steps}, unobtainable)
        changed = old != bundle or bool(layout.verify(path)[0])
        return {**result, **of_bundle(old, bundle), "changed": changed}
    after = {
        step.component.name: f"{step.component.version} from {' or '.join(step.origins) or 'the cache'}"
        for step in steps
    }
    return {**result, "changed": True, "diff": {"before": summary(old), "after": after}}


def build(builder: Builder, path: str, progress: Progress) -> dict[str, t.Any]:
    old = read_json(os.path.join(path, "bundle.json"))
    steps, unobtainable = builder.plan()
    progress.total = len(steps)
    result = of_steps(steps, unobtainable)
    space = builder.check_space(steps, path)
    if space:
        progress.say(space)
    records, failed = builder.make(steps, progress)
    unobtainable += failed
    bundle = builder.bundle(records, unobtainable)
    changes = builder.assemble(path, records, bundle)
    builder.kitchen.blobs.remember()
    progress.say(f"the bundle is complete: {path}")
    result["actions"] += changes
    index_digest = "sha256:" + sha256_file(os.path.join(path, "index.json"))
    return {**result, **of_bundle(old, bundle), "changed": bool(changes), "index_digest": index_digest}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "cache_path": {"type": "path", "required": True},
            "lock_path": {"type": "path", "required": True},
            "source_path": {"type": "path", "required": True},
            "origins": {
                "type": "list",
                "elements": "str",
                "choices": ["release", "source"],
                "default": ["release", "source"],
            },
            "components": {"type": "list", "elements": "str", "default": ["all"]},
            "refresh": {"type": "list", "elements": "str", "default": []},
            "platform": {"type": "str", "choices": ["linux/amd64", "linux/arm64"], "default": "linux/amd64"},
            "allow_unknown_digest": {"type": "bool", "default": False},
            "release_mirrors": {"type": "dict", "default": {}},
            "debian_mirror": {"type": "str", "default": "http://deb.debian.org/debian"},
            "debian_security_mirror": {"type": "str", "default": "http://deb.debian.org/debian-security"},
            "jobs": {"type": "int", "default": 8},
            "build_jobs": {"type": "int", "default": 2},
            "progress_path": {"type": "path"},
        },
        supports_check_mode=True,
    )
    if not HAS_YAML:
        module.fail_json(msg=missing_required_lib("PyYAML"))
    try:
        result = make(module.params, module.check_mode)
    except BundleError as error:
        module.fail_json(msg=str(error))
    for message in result["messages"]:
        module.warn(message)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
