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
import secrets
import time
import typing as t
from urllib.parse import quote

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudnative.platform.plugins.module_utils._host_lock import HostLockError, lock_for
from ansible_collections.cloudnative.platform.plugins.module_utils._kubeadm import api, documents, node

TOKEN_SECONDS = 30 * 60
SECRETS = "/api/v1/namespaces/kube-system/secrets"


def ca_cert_hash() -> str:
    """Return the hash that kubeadm pins: SHA-256 over the CA's public key (SubjectPublicKeyInfo, DER)."""
    status, pem, error = node.run(["openssl", "x509", "-in", node.CA_FILE, "-noout", "-pubkey"])
    if status != 0:
        raise node.NodeError(f"{node.CA_FILE} can't be read: {error.strip()}")
    body = "".join(line for line in pem.splitlines() if not line.startswith("-----"))
    return "sha256:" + hashlib.sha256(base64.b64decode(body)).hexdigest()


def make_token() -> str:
    """Make a bootstrap token in the cluster and return it; those of earlier runs end with it."""
    token = node.new_token()
    expiration = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + TOKEN_SECONDS))
    client = api.Api(node.ADMIN_CONF, api.PATIENCE)
    try:
        client.delete(f"{SECRETS}?labelSelector={quote(documents.TOKEN_LABEL)}")
        client.create(SECRETS, documents.bootstrap_token_secret(token, expiration, "cloudnative.platform join"))
    finally:
        client.close()
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
        if not module.check_mode or (node.read_text(node.CA_FILE) and node.read_text(node.ADMIN_CONF)):
            with lock_for(module):
                hand_out(module, result)
    except (node.NodeError, api.ApiError, HostLockError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


def hand_out(module: AnsibleModule, result: dict[str, t.Any]) -> None:
    """Fill the result with what was asked for."""
    server = f"https://{module.params['address']}:{documents.API_PORT}"
    result["kubeconfig"] = api.kubeconfig(api.read_access(node.ADMIN_CONF), server)
    if not module.params["join"]:
        return
    result["changed"] = True
    if not module.check_mode:
        result["material"] = {
            "token": make_token(),
            "certificate_key": upload_certificates(),
            "ca_cert_hash": ca_cert_hash(),
            "ca_pem": node.read_text(node.CA_FILE),
            "encryption_configuration": node.read_text(documents.ENCRYPTION_FILE),
        }


if __name__ == "__main__":
    main()
