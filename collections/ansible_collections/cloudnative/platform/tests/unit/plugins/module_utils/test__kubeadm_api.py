# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._kubeadm import api

ADMIN = """\
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: {ca}
    server: https://api.kubernetes.internal:8443
  name: small
current-context: kubernetes-admin@small
users:
- name: kubernetes-admin
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
""".format(**{name: base64.b64encode(name.encode()).decode() for name in ("ca", "certificate", "key")})
KUBELET = """\
clusters:
- cluster:
    certificate-authority: /etc/kubernetes/pki/ca.crt
    server: https://192.0.2.11
users:
- user:
    client-certificate: /var/lib/kubelet/pki/kubelet-client-current.pem
    client-key: /var/lib/kubelet/pki/kubelet-client-current.pem
"""


def test_embedded_credentials():
    access = api.parse_kubeconfig(ADMIN, str)
    assert access == api.Access(
        "api.kubernetes.internal", 8443, "ca", "certificate", "key", "small", "kubernetes-admin"
    )


def test_a_kubeconfig_for_another_address():
    access = api.parse_kubeconfig(ADMIN, str)
    config = api.kubeconfig(access, "https://192.0.2.11:6443")
    assert config["clusters"][0]["cluster"]["server"] == "https://192.0.2.11:6443"
    assert config["current-context"] == "kubernetes-admin@small"
    assert base64.b64decode(config["users"][0]["user"]["client-key-data"]) == b"key"


def test_credentials_in_files():
    access = api.parse_kubeconfig(KUBELET, lambda path: f"<{path}>")
    assert (access.host, access.port) == ("192.0.2.11", 443)
    assert access.ca_pem == "</etc/kubernetes/pki/ca.crt>"
    assert access.key_pem == "</var/lib/kubelet/pki/kubelet-client-current.pem>"


def test_a_kubeconfig_without_credentials_is_named():
    with pytest.raises(api.ApiError, match="the kubeconfig has no client-certificate"):
        api.parse_kubeconfig("server: https://x:1\ncertificate-authority-data: Y2E=\n", str)
