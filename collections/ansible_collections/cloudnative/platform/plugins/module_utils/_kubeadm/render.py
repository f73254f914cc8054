# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The files that kubeadm would write for this node with these settings, made by kubeadm itself in a dry run.

That takes a twentieth of a second and touches neither the node nor the cluster.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kubeadm import documents, node, reconcile, state

KUBELET_FILES = ("config.yaml", "instance-config.yaml", "kubeadm-flags.env")
#: all of `kubeadm init` but for the phases that write files
SKIPPED_PHASES = (
    "preflight,certs,kubeconfig,upload-config,upload-certs,mark-control-plane,bootstrap-token,kubelet-finalize,addon,"
    "show-join-command,wait-control-plane"
)


def wanted_files(cluster: dict[str, t.Any], own: dict[str, t.Any], policy: reconcile.Files) -> dict[str, str]:
    """Return path → content of the static pods' manifests (control planes) and of the kubelet's files."""
    control_plane = own["role"] == "control_plane"
    configuration = documents.cluster_configuration(cluster)
    if not control_plane:
        # A worker has the CA without its key, which kubeadm takes for an authority kept elsewhere.
        configuration["certificatesDir"] = f"{node.RUN_DIR}/none"
    os.makedirs(node.RUN_DIR, mode=0o700, exist_ok=True)
    directory = tempfile.mkdtemp(dir=node.RUN_DIR, prefix="render-")
    try:
        node.write_patches(policy)
        node.write_private(
            f"{directory}/kubeadm.yaml",
            documents.render(
                [
                    documents.init_configuration(own, [], policy),
                    configuration,
                    documents.kubelet_configuration(cluster),
                ]
            ),
        )
        skipped = SKIPPED_PHASES if control_plane else f"{SKIPPED_PHASES},control-plane,etcd"
        status, output, error = node.run(
            ["kubeadm", "init", "--dry-run", f"--config={directory}/kubeadm.yaml", f"--skip-phases={skipped}"],
            environment={"KUBEADM_INIT_DRYRUN_DIR": directory},
        )
        if status != 0:
            tail = "\n".join((output + "\n" + error).strip().splitlines()[-10:])
            raise node.NodeError(f"kubeadm does not accept these settings:\n{tail}")
        names = {f"{reconcile.KUBELET_DIR}/{name}": name for name in KUBELET_FILES}
        if control_plane:
            names.update({reconcile.manifest_path(name): f"{name}.yaml" for name in state.MANIFESTS})
        return {path: node.read_text(f"{directory}/{name}") for path, name in names.items()}
    finally:
        shutil.rmtree(directory)
