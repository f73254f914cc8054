#!/usr/bin/python
# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: oci_files
short_description: Put files of OCI artifacts from the platform's registry on a host
version_added: 0.1.0
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
description:
  - Downloads files that are stored as layers of OCI artifacts, named by the digest of the artifact's manifest, and puts
    them at their paths. The manifest and every file are checked against their digests while they come in.
  - A file that is already right is not downloaded. Its digest is remembered together with its size, inode and the times of
    its last changes (mtime, and ctime, which nobody can set), so that it isn't read again on each run either.
  - Nothing is replaced before all files have been downloaded and checked. A file is replaced by a rename, which also
    works while the program runs.
extends_documentation_fragment:
  - cloudnative.platform._attributes
  - cloudnative.platform._attributes.platform
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Files are shown as digest, mode and owner.
  idempotent:
    support: full
  platform:
    support: full
    platforms: linux
options:
  registry:
    description: The registry to download from.
    type: dict
    required: true
    suboptions:
      endpoints:
        description:
          - Base URLs that serve the same content.
          - Hosts start with different ones, chosen by their name, and go on to the next one when one fails.
        type: list
        elements: str
        required: true
      ca_pem:
        description: Certificates, in PEM, that the endpoints are checked against. Without it, the host's own.
        type: str
      username:
        description: User that may pull.
        type: str
      password:
        description: Password of that user.
        type: str
  artifacts:
    description: Artifacts and the files wanted from them.
    type: list
    elements: dict
    required: true
    suboptions:
      ref:
        description: Reference of the artifact. It tells the repository, and names the artifact in messages.
        type: str
        required: true
      digest:
        description: Digest of the artifact's manifest.
        type: str
        required: true
      files:
        description: Files of the artifact.
        type: list
        elements: dict
        required: true
        suboptions:
          name:
            description: Name of the file in the artifact.
            type: str
            required: true
          path:
            description: Absolute path on the host. Missing directories are created with mode 0755.
            type: path
            required: true
          mode:
            description: Octal mode, quoted.
            type: str
            default: "0755"
          owner:
            description: Owner, name or number.
            type: str
            default: root
          group:
            description: Group, name or number.
            type: str
            default: root
          sha256:
            description: Digest of the content, where it is known. It must be the one that the artifact has.
            type: str
  state:
    description: Whether the files should be there.
    type: str
    choices: [present, absent]
    default: present
  state_file:
    description: Where the digests of installed files are remembered. It is a cache and may be removed.
    type: path
    default: /var/lib/cloudnative/files.json
"""

EXAMPLES = r"""
- name: Install kubectl
  cloudnative.platform.oci_files:
    registry:
      endpoints:
        - https://192.0.2.10:5000
        - https://192.0.2.11:5000
      ca_pem: "{{ registry_ca_pem }}"
      username: pull
      password: "{{ registry_pull_password }}"
    artifacts:
      - ref: cloudnative.platform/kubectl:v1.36.4
        digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
        files:
          - name: kubectl
            path: /usr/local/bin/kubectl
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in order.
  returned: always
  type: list
  elements: str
  sample: ["install /usr/local/bin/kubectl from cloudnative.platform/kubectl:v1.36.4 (kubectl)"]
diff:
  description: Digest, mode and owner of the files before and after.
  returned: always
  type: list
  elements: dict
downloaded_bytes:
  description: Bytes of files that were downloaded.
  returned: always
  type: int
  sample: 62914560
paths_changed:
  description: Paths whose content is new.
  returned: always
  type: list
  elements: str
"""

import os
import socket
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._host_files import (
    HostFileError,
    parse_mode,
    reason_of,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._host_lock import HostLockError, lock_for
from ansible_collections.cloudnative.platform.plugins.module_utils._masked_module import MaskedModule
from ansible_collections.cloudnative.platform.plugins.module_utils._oci_files import (
    Action,
    File,
    OciFilesError,
    diff_of,
    plan,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._oci_files_io import (
    DigestCache,
    Installer,
    Source,
    look,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._oci_registry import RegistryError

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC: dict[str, t.Any] = {
    "registry": {
        "type": "dict",
        "required": True,
        "options": {
            "endpoints": {"type": "list", "elements": "str", "required": True},
            "ca_pem": {"type": "str"},
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
        },
    },
    "artifacts": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "ref": {"type": "str", "required": True},
            "digest": {"type": "str", "required": True},
            "files": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "path": {"type": "path", "required": True},
                    "mode": {"type": "str", "default": "0755"},
                    "owner": {"type": "str", "default": "root"},
                    "group": {"type": "str", "default": "root"},
                    "sha256": {"type": "str"},
                },
            },
        },
    },
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "state_file": {"type": "path", "default": "/var/lib/cloudnative/files.json"},
}


def files_from(artifacts: list[dict[str, t.Any]]) -> list[File]:
    files: list[File] = []
    for artifact in artifacts:
        for item in artifact["files"]:
            path = item["path"]
            if not os.path.isabs(path):
                raise OciFilesError(f'"{path}" is not an absolute path')
            if any(file.path == path for file in files):
                raise OciFilesError(f"{path} is listed twice; one path has one content")
            files.append(
                File(
                    ref=artifact["ref"],
                    digest=artifact["digest"],
                    name=item["name"],
                    path=path,
                    mode=parse_mode(item["mode"], path),
                    owner=item["owner"],
                    group=item["group"],
                    sha256=item["sha256"],
                )
            )
    return files


class Run:
    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.absent = module.params["state"] == "absent"
        self.cache = DigestCache(module.params["state_file"])
        self.source = Source(module.params["registry"], socket.gethostname())
        self.installer = Installer(module, self.source, self.cache)
        self.result: dict[str, t.Any] = {
            "changed": False,
            "actions": [],
            "diff": [],
            "downloaded_bytes": 0,
            "paths_changed": [],
        }

    def __call__(self) -> None:
        files = files_from(self.module.params["artifacts"])
        present = {file.path: look(file, self.cache) for file in files}
        if not self.absent:
            files = self.with_digests(files, {path for path, there in present.items() if there.found.exists})
        actions = plan(files, present, self.absent)
        if not self.module.check_mode:
            actions = self.apply(actions)
            if not self.absent:
                for file in files:
                    if file.sha256 is not None and present[file.path].sha256 == file.sha256:
                        self.cache.remember(file)
        self.result["diff"] = [diff_of(action, present[action.file.path]) for action in actions]
        self.result["actions"] = [action.text for action in actions]
        self.result["paths_changed"] = [action.file.path for action in actions if action.kind != "attributes"]
        self.result["changed"] = bool(actions)

    def with_digests(self, files: list[File], existing: set[str]) -> list[File]:
        """What is known about the content without the registry, and from it only where a file could be right."""
        files = [self.cache.known(file) for file in files]
        unknown = [file for file in files if file.sha256 is None and file.path in existing]
        if not unknown:
            return files
        try:
            resolved = self.installer.resolve(unknown)
        except (OciFilesError, RegistryError) as e:
            if not self.module.check_mode:
                raise
            # The registry may be one of the things that the same run would make.
            self.module.warn(f"files that may be right already are predicted as changed: {e}")
            return files
        return [resolved.get(file.path, file) for file in files]

    def apply(self, actions: list[Action]) -> list[Action]:
        installs = [action.file for action in actions if action.kind == "install"]
        resolved = self.installer.resolve(installs)
        actions = [
            Action(action.kind, resolved[action.file.path], action.text) if action.kind == "install" else action
            for action in actions
        ]
        self.installer.install(list(resolved.values()))
        for action in actions:
            if action.kind == "attributes":
                self.installer.apply_attributes(action)
            elif action.kind == "remove":
                self.installer.remove(action)
        self.result["downloaded_bytes"] = self.installer.downloaded_bytes
        return actions

    def close(self) -> None:
        self.source.close()
        for warning in self.source.warnings:
            self.module.warn(warning)
        if not self.module.check_mode:
            try:
                self.cache.save()
            except OSError as e:
                # Without it the next run hashes files again, and that is all.
                self.module.warn(f"cannot keep {self.module.params['state_file']}: {reason_of(e, self.cache.path)}")


def main() -> None:
    module = MaskedModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        with lock_for(module):
            run = Run(module)
            try:
                run()
            finally:
                run.close()
    except (HostFileError, HostLockError, OciFilesError, RegistryError, ValueError) as e:
        module.fail_json(msg=str(e))
    except OSError as e:
        module.fail_json(msg=f"cannot put files in place: {e}")
    module.exit_json(**run.result)


if __name__ == "__main__":
    main()
