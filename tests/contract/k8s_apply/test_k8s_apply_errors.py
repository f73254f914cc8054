# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What k8s_apply says when a real API server refuses, or when there is none."""

from __future__ import annotations

import base64
import http.server
import json
import pathlib
import socket
import ssl
import threading
import time
import typing as t

import pytest
from apply_objects import Run, config_map
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import Cluster


@pytest.fixture(name="keys")
def fixture_keys(kubernetes_api: dict[str, t.Any]) -> pathlib.Path:
    """Where the API server has its certificate and its keys."""
    return pathlib.Path(kubernetes_api["clusters"][0]["cluster"]["certificate-authority"]).parent


class Refuse(http.server.BaseHTTPRequestHandler):
    """An admission webhook that refuses everything."""

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = {
            "apiVersion": review["apiVersion"],
            "kind": review["kind"],
            "response": {"uid": review["request"]["uid"], "allowed": False, "status": {"message": "not on Fridays"}},
        }
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: t.Any) -> None:
        """Says nothing."""


@pytest.fixture(name="webhook")
def fixture_webhook(keys: pathlib.Path) -> t.Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keys / "server.crt", keys / "server.key")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refuse)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"https://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()
    thread.join()


def test_webhook_that_refuses(run: Run, cluster: Cluster, namespace: str, webhook: str, keys: pathlib.Path) -> None:
    authority = base64.b64encode((keys / "ca.crt").read_bytes()).decode()
    hook = {
        "name": "refuses.contract.test",
        "clientConfig": {"url": webhook, "caBundle": authority},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["secrets"]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    cluster.request("POST", path, body={"metadata": {"name": "refuses"}, "webhooks": [hook]})
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"password": "hunter2"}}
    try:
        deadline = time.monotonic() + 15
        # The API server learns of a new webhook a moment later.
        while True:
            result = run(definitions=[config_map("a"), secret], namespace=namespace)
            if "failed" in result or time.monotonic() > deadline:
                break
            cluster.request("DELETE", f"/api/v1/namespaces/{namespace}/secrets/s")
            time.sleep(0.3)
        assert (
            f"Secret {namespace}/s (definitions[1]): the cluster refused to patch secrets s in namespace {namespace} "
            '(400): admission webhook "refuses.contract.test" denied the request: not on Fridays'
        ) in result["msg"]
        assert "hunter2" not in json.dumps(result)
    finally:
        cluster.request("DELETE", f"{path}/refuses")


def test_quota_that_is_used_up(run: Run, cluster: Cluster, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/resourcequotas"
    hard = {"count/configmaps": "1"}
    cluster.request("POST", path, body={"metadata": {"name": "small"}, "spec": {"hard": hard}})
    # As its controller would.
    cluster.request(
        "PUT",
        f"{path}/small/status",
        body={**cluster.request("GET", f"{path}/small"), "status": {"hard": hard, "used": {"count/configmaps": "0"}}},
    )
    time.sleep(0.5)
    result = run(definitions=[config_map(name, namespace) for name in "ab"])
    assert result["failed"] is True
    assert "exceeded quota: small, requested: count/configmaps=1, used: count/configmaps=1" in result["msg"]
    assert "the cluster refused to patch configmaps" in result["msg"]
    # One of the two was made, and that is told.
    assert len(result["actions"]) == 1
    assert result["actions"][0] in result["msg"]


def test_value_that_cannot_be_read_is_not_sent_again(run: Run, namespace: str) -> None:
    """The server calls that an error of its own, as it does with what passes by itself."""
    pod = {"containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "many"}}}]}
    bad = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "binaryData": {"x": "plain text"}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": pod},
    ]
    for definition, words in zip(bad, ("illegal base64 data", "quantities must match")):
        started = time.monotonic()
        result = run(definitions=[definition], namespace=namespace)
        assert words in result["msg"]
        assert time.monotonic() - started < 8


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def test_token_that_has_expired(run: Run, kubernetes_api: dict[str, t.Any], keys: pathlib.Path) -> None:
    """Signed by the cluster's own key, and a day old."""
    key = serialization.load_pem_private_key((keys / "server.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    claims = {
        "iss": "https://kubernetes.default.svc",
        "aud": ["https://kubernetes.default.svc"],
        "sub": "system:serviceaccount:default:old",
        "exp": int(time.time()) - 86400,
        "iat": int(time.time()) - 90000,
    }
    text = ".".join(encoded(json.dumps(part).encode()) for part in ({"alg": "ES256", "typ": "JWT"}, claims))
    numbers = utils.decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    signature = b"".join(number.to_bytes(32, "big") for number in numbers)
    cluster = kubernetes_api["clusters"][0]["cluster"]
    token = f"{text}.{encoded(signature)}"
    result = run(
        kubeconfig=None,
        host=cluster["server"],
        ca_cert=cluster["certificate-authority"],
        api_key=token,
        definitions=[config_map("a")],
    )
    assert "not authenticated to get /api (401)" in result["msg"]
    assert "the token expired at " in result["msg"]
    assert token not in json.dumps(result)


@pytest.mark.parametrize("listens", [False, True])
def test_kubeconfig_that_points_nowhere(run: Run, kubernetes_api: dict[str, t.Any], listens: bool) -> None:
    """Nobody listens there, or somebody who never answers."""
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        if listens:
            somebody.listen()
        url = f"https://127.0.0.1:{somebody.getsockname()[1]}"
        cluster = {"name": "contract", "cluster": {**kubernetes_api["clusters"][0]["cluster"], "server": url}}
        started = time.monotonic()
        result = run(kubeconfig={**kubernetes_api, "clusters": [cluster]}, definitions=[config_map("a")])
    assert time.monotonic() - started < 10
    assert result["changed"] is False
    assert f"the Kubernetes API at {url} can't be reached: " in result["msg"]
    assert ("sent no answer in time" if listens else "Connection refused") in result["msg"]
