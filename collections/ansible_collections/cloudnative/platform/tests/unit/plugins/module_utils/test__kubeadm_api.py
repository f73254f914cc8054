# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import http.client
import http.server
import json
import threading

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


@pytest.fixture
def server():
    """An API that answers what it is told to, one answer a request."""
    answers: list[int] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status = answers.pop(0)
            body = json.dumps({"message": "said so"}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running.server_address[1], answers
        running.shutdown()


def client(port, patience):
    """Without TLS, which is not what is tried here."""
    one = object.__new__(api.Api)
    one._access = api.Access("127.0.0.1", port, "", "", "", "", "")
    one._patience = patience
    one._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    return one


def test_an_api_that_is_just_starting_is_asked_again(server):
    port, answers = server
    answers += [503, 200]
    assert client(port, 5).get("/x") == {"message": "said so"}
    assert answers == []


def test_a_refusal_is_final(server):
    port, answers = server
    answers += [403, 200]
    with pytest.raises(api.ApiError, match=f"GET https://127.0.0.1:{port}/x answers 403: said so"):
        client(port, 5).get("/x")
    assert answers == [200]


def test_without_patience_nothing_is_asked_twice(server):
    port, answers = server
    answers += [503, 200]
    with pytest.raises(api.ApiError, match="answers 503"):
        client(port, 0).get("/x")


def test_what_is_not_there_is_none(server):
    port, answers = server
    answers += [404]
    assert client(port, 0).get("/x") is None
