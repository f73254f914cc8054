#!/usr/bin/python
# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_content
version_added: 0.1.0
short_description: Makes registries hold what a bundle holds
description:
  - Compares an OCI image layout with one or more registries that speak the OCI distribution API and uploads what is
    missing, several blobs at a time. Manifests are stored last, so a name never points to something incomplete.
  - An upload that was interrupted is finished by the next run, which uploads only the blobs that are still missing.
  - A blob that the registry stores in a wrong size or with wrong bytes is refused and named.
  - Runs on the controller.
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
extends_documentation_fragment:
  - cloudnative.platform._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  endpoints:
    description:
      - Addresses of the registries, for example V(https://10.0.0.5:5443). All of them are brought to the same content.
    type: list
    elements: str
    required: true
  layout_path:
    description:
      - Directory of the OCI image layout on the controller.
      - Without it, or where the directory does not exist, the bundle description in the registry says what it has to
        hold, and nothing is uploaded.
    type: path
  state:
    description:
      - V(present) uploads what is missing.
      - V(verified) changes nothing, downloads everything and compares it with its digests.
    type: str
    choices: [present, verified]
    default: present
  prune:
    description:
      - Whether to delete tags and manifests that are not in the layout. Space is freed by the next garbage collection.
      - Only repositories in the name spaces of the layout are looked at (the part before the first slash, for example
        C(registry.k8s.io)); images that others pushed elsewhere stay.
      - When nothing that the registry has would be left, nothing is deleted and the module fails.
    type: bool
    default: false
  ca_pem:
    description:
      - Certificates of the authorities that are trusted, PEM. The system's authorities when it is not given.
    type: str
  username:
    description:
      - User who may push.
    type: str
  password:
    description:
      - Password of O(username).
    type: str
  parallel:
    description:
      - Number of requests at a time.
    type: int
    default: 4
  when_unreachable:
    description:
      - In check mode, what a registry that does not answer is taken for. For one that this very play is going to
        install (V(empty)) or to start again (V(unchanged)).
    type: str
    choices: [fail, empty, unchanged]
    default: fail
  progress_file:
    description:
      - File on the controller that gets a line every two seconds while the module works.
    type: path
seealso:
  - module: cloudnative.platform.bundle
"""

EXAMPLES = r"""
- name: Fill both registries from the bundle
  cloudnative.platform.registry_content:
    endpoints:
      - https://10.0.0.5:5443
      - https://10.0.0.6:5443
    layout_path: ~/.cache/cloudnative-platform/bundle
    ca_pem: "{{ ca_pem }}"
    username: push
    password: "{{ push_password }}"
  delegate_to: localhost
  run_once: true

- name: Hash everything the registry holds
  cloudnative.platform.registry_content:
    endpoints:
      - https://10.0.0.5:5000
    ca_pem: "{{ ca_pem }}"
    username: pull
    password: "{{ pull_password }}"
    state: verified
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, by endpoint.
  returned: always
  type: dict
  sample:
    https://10.0.0.5:5443:
      - upload registry.k8s.io/pause@sha256:5b0f… (301234 bytes)
      - store registry.k8s.io/pause:3.10.2
bundle:
  description: Digest of the bundle's description, which names all its content by digest.
  returned: success
  type: str
  sample: sha256:5b0f…
components:
  description: Components of the bundle by name, as its description has them.
  returned: success
  type: dict
  sample:
    kubelet:
      ref: cloudnative.platform/kubelet:v1.36.4
      digest: sha256:0c1f…
      version: v1.36.4
      kind: files
uploaded_bytes:
  description: Bytes of blobs that were sent. In check mode those that would be sent.
  returned: always
  type: int
  sample: 301234
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudnative.platform.plugins.module_utils._oci_registry import (
    Registry,
    RegistryError,
    Unreachable,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._registry_content import (
    BUNDLE_REPOSITORY,
    BUNDLE_TAG,
    Artifact,
    ContentError,
    Observed,
    damage_report,
    load_components,
    plan,
    read_layout,
    read_registry,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._registry_seed import (
    Progress,
    Seeder,
    observe,
    verify,
)

# Garbage collection stops the writable side of a registry for a while; an upload waits for it rather than fails.
ATTEMPTS = 7


class RegistryContent:
    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.params = module.params
        self.assumed: str = module.params["when_unreachable"] if module.check_mode else "fail"
        path = self.params["layout_path"]
        self.layout: str | None = path if path and os.path.isdir(path) else None
        self.progress = Progress(self.params["progress_file"])
        self.result: dict[str, t.Any] = {"changed": False, "actions": {}, "uploaded_bytes": 0}
        self.diffs: list[dict[str, str]] = []

    def registry(self, endpoint: str) -> Registry:
        return Registry(
            endpoint,
            ca_pem=self.params["ca_pem"],
            username=self.params["username"],
            password=self.params["password"],
            attempts=ATTEMPTS if self.assumed == "fail" else 1,
        )

    def run(self) -> None:
        registries = [self.registry(endpoint) for endpoint in self.params["endpoints"]]
        if not registries:
            raise ContentError("endpoints is empty: name at least one registry")
        if self.params["parallel"] < 1:
            raise ContentError(f"parallel is {self.params['parallel']}, it must be at least 1")
        local = read_layout(self.layout) if self.layout else None
        artifacts: list[Artifact] = []
        for registry in registries:
            artifacts = local if local is not None else read_registry(registry)
            if self.params["state"] == "verified":
                self.verify(registry, artifacts)
            else:
                self.bring(registry, artifacts)
        self.result["components"] = load_components(artifacts, self.layout, registries[-1])
        self.result["bundle"] = next(
            artifact.manifest.digest
            for artifact in artifacts
            if (artifact.repository, artifact.tag) == (BUNDLE_REPOSITORY, BUNDLE_TAG)
        )

    def verify(self, registry: Registry, artifacts: list[Artifact]) -> None:
        problems = verify(registry, artifacts, self.params["parallel"], self.progress)
        if problems:
            raise ContentError(damage_report(registry.endpoint, problems))
        self.result["actions"][registry.endpoint] = []

    def bring(self, registry: Registry, artifacts: list[Artifact]) -> None:
        try:
            # One request finds a wrong address or password before a pool of threads finds it many times.
            registry.ping()
            observed = observe(registry, artifacts, self.params["parallel"], self.params["prune"])
        except Unreachable as exc:
            if self.assumed == "fail":
                raise
            if self.assumed == "unchanged":
                self.module.warn(f"what the registry holds is not compared, because it does not answer: {exc}")
                self.result["actions"][registry.endpoint] = []
                return
            observed = Observed()
        wanted = plan(registry.endpoint, artifacts, observed, self.params["prune"])
        if wanted and not self.layout:
            raise ContentError(
                f"registry {registry.endpoint} lacks {', '.join(wanted.actions())}, and there is no layout on the "
                "controller to upload it from: give layout_path"
            )
        self.result["actions"][registry.endpoint] = wanted.actions()
        if not wanted:
            return
        before, after = wanted.diff()
        header = f"content of {registry.endpoint}"
        self.diffs.append({"before_header": header, "after_header": header, "before": before, "after": after})
        self.result["changed"] = True
        if self.module.check_mode:
            self.result["uploaded_bytes"] += wanted.upload_bytes
            return
        seeder = Seeder(registry, self.layout or "", self.params["parallel"], self.progress)
        try:
            seeder.apply(wanted)
        finally:
            self.result["uploaded_bytes"] += seeder.uploaded_bytes
        observed = observe(registry, artifacts, self.params["parallel"], self.params["prune"])
        left = plan(registry.endpoint, artifacts, observed, self.params["prune"])
        if left:
            raise ContentError(
                f"registry {registry.endpoint} accepted the upload but still lacks: {', '.join(left.actions())}; "
                "look at the storage and the log of the registry"
            )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "endpoints": {"type": "list", "elements": "str", "required": True},
            "layout_path": {"type": "path"},
            "state": {"type": "str", "choices": ["present", "verified"], "default": "present"},
            "prune": {"type": "bool", "default": False},
            "ca_pem": {"type": "str"},
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "parallel": {"type": "int", "default": 4},
            "when_unreachable": {"type": "str", "choices": ["fail", "empty", "unchanged"], "default": "fail"},
            "progress_file": {"type": "path"},
        },
        required_together=[("username", "password")],
        supports_check_mode=True,
    )
    content = RegistryContent(module)
    try:
        content.run()
    except (ContentError, RegistryError) as exc:
        module.fail_json(msg=str(exc), **content.result)
    module.exit_json(diff=content.diffs, **content.result)


if __name__ == "__main__":
    main()
