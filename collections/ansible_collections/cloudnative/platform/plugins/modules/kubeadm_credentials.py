#!/usr/bin/python
# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_credentials
short_description: Hand out what joining nodes and the controller need from a healthy control plane
version_added: 0.1.0
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
description:
  - Runs on a control plane that is a healthy member of the cluster, whichever it is.
  - Returns the administrator's kubeconfig with the address of this control plane.
  - With O(join=true) it also makes a bootstrap token and uploads the control planes' certificates, encrypted with a
    key made for this run. Both end by themselves, the token after 30 minutes, the certificates after two hours.
  - Everything it returns is secret. Use it with C(no_log).
extends_documentation_fragment:
  - cloudnative.platform._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: partial
    details:
      - With O(join=true) every call makes new credentials, so that none has to be kept.
options:
  address:
    description: Address of this control plane.
    type: str
    required: true
  join:
    description: Whether nodes are going to join.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Take the credentials from a healthy control plane
  cloudnative.platform.kubeadm_credentials:
    address: 192.0.2.11
    join: true
  register: credentials
  no_log: true
"""

RETURN = r"""
kubeconfig:
  description: The administrator's kubeconfig; empty where there is no cluster yet (check mode).
  returned: always
  type: dict
material:
  description:
    - What M(cloudnative.platform.kubeadm_node) takes as O(cloudnative.platform.kubeadm_node#module:material).
    - Empty without O(join=true).
  returned: always
  type: dict
  contains:
    token:
      description: Bootstrap token.
      type: str
    certificate_key:
      description: Key with which the uploaded certificates are encrypted.
      type: str
    ca_cert_hash:
      description: Hash of the public key of the cluster's CA.
      type: str
    ca_pem:
      description: Certificate of the cluster's CA.
      type: str
    encryption_configuration:
      description: The file that says how Secrets are encrypted at rest.
      type: str
"""

import base64
import hashlib
import json
import secrets
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudnative.platform.plugins.module_utils._kubeadm import documents, node

TOKEN_SECONDS = 30 * 60


def admin_kubeconfig(address: str) -> dict[str, t.Any]:
    """Return the administrator's kubeconfig with the address of this control plane as server."""
    status, output, error = node.run(
        ["kubectl", f"--kubeconfig={node.ADMIN_CONF}", "config", "view", "--raw", "-o", "json"]
    )
    if status != 0:
        raise node.NodeError(f"{node.ADMIN_CONF} can't be read: {error.strip()}")
    kubeconfig = json.loads(output)
    for cluster in kubeconfig["clusters"]:
        cluster["cluster"]["server"] = f"https://{address}:{documents.API_PORT}"
    return kubeconfig


def ca_cert_hash() -> str:
    """Return the hash that kubeadm pins: SHA-256 over the CA's public key (SubjectPublicKeyInfo, DER)."""
    status, pem, error = node.run(["openssl", "x509", "-in", node.CA_FILE, "-noout", "-pubkey"])
    if status != 0:
        raise node.NodeError(f"{node.CA_FILE} can't be read: {error.strip()}")
    body = "".join(line for line in pem.splitlines() if not line.startswith("-----"))
    return "sha256:" + hashlib.sha256(base64.b64decode(body)).hexdigest()


def make_token() -> str:
    """Make a bootstrap token in the cluster and return it."""
    token = node.new_token()
    expiration = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + TOKEN_SECONDS))
    manifest = documents.bootstrap_token_secret(token, expiration, "cloudnative.platform join")
    status, _output, error = node.kubectl(["create", "-f", "-"], stdin=json.dumps(manifest))
    if status != 0:
        raise node.NodeError(f"the bootstrap token can't be made: {error.strip()}")
    return token


def upload_certificates() -> str:
    """Upload the control planes' certificates, encrypted; return the key."""
    key = secrets.token_hex(32)
    configuration = documents.render(
        [
            {"apiVersion": documents.API_VERSION, "kind": "InitConfiguration", "certificateKey": key},
            cluster_configuration(),
        ]
    )
    arguments = ["init", "phase", "upload-certs", "--upload-certs", "--skip-certificate-key-print"]
    node.kubeadm(arguments, configuration, "kubeadm-upload-certs", timeout=60)
    return key


def cluster_configuration() -> dict[str, t.Any]:
    """Return what the upload needs of the cluster's configuration: the version, else kubeadm asks the internet."""
    status, output, error = node.run(["kubeadm", "version", "-o", "short"])
    if status != 0:
        raise node.NodeError(f"kubeadm does not run: {error.strip()}")
    return {
        "apiVersion": documents.API_VERSION,
        "kind": "ClusterConfiguration",
        "kubernetesVersion": output.strip(),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "address": {"type": "str", "required": True},
            "join": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    result: dict[str, t.Any] = {"changed": False, "kubeconfig": {}, "material": {}}
    try:
        ca_pem = node.read_text(node.CA_FILE)
        if module.check_mode and not (ca_pem and node.read_text(node.ADMIN_CONF)):
            module.exit_json(**result)
        result["kubeconfig"] = admin_kubeconfig(module.params["address"])
        if module.params["join"]:
            result["changed"] = True
            if not module.check_mode:
                result["material"] = {
                    "token": make_token(),
                    "certificate_key": upload_certificates(),
                    "ca_cert_hash": ca_cert_hash(),
                    "ca_pem": ca_pem,
                    "encryption_configuration": node.read_text(documents.ENCRYPTION_FILE),
                }
    except (node.NodeError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
