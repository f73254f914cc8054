# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Kubernetes face of the double: what is in its image and its chart, and what its webhooks answer."""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import socket
import ssl
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

import double_of_kuma
import pytest
import yaml

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle import lock
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import control_plane

DOUBLES = Path(__file__).resolve().parents[1] / "doubles"
admission, container, definitions = (double_of_kuma.part(name) for name in ("admission", "container", "definitions"))
http_server, Node = double_of_kuma.part("http_server"), double_of_kuma.part("node").Node

SYSTEM = "kuma-system"
VALIDATE, DEFAULT = "/validate-kuma-io-v1alpha1", "/default-kuma-io-v1alpha1-mesh"


class Cluster:
    """What the API server has."""

    def __init__(self, **objects: t.Any) -> None:
        self.objects = objects

    def get(self, path: str) -> t.Any:
        return self.objects.get(path.rpartition("/")[2])


@pytest.fixture(name="webhooks")
def fixture_webhooks() -> admission.Admission:
    options = argparse.Namespace(mode="zone", zone="default", environment="kubernetes", delay=0, conflict_every=0)
    cluster = Cluster(default={"metadata": {"uid": "u"}}, dataplanes={"items": [{"metadata": {"name": "a"}}]})
    return admission.Admission(Node(options), t.cast(t.Any, cluster))


def ask(
    webhooks: admission.Admission, path: str, body: dict[str, t.Any], operation: str = "CREATE"
) -> dict[str, t.Any]:
    asked = {
        "uid": "1",
        "kind": {"group": "kuma.io", "version": "v1alpha1", "kind": body["kind"]},
        "name": body["metadata"]["name"],
        "namespace": body["metadata"].get("namespace", ""),
        "operation": operation,
        "object": None if operation == "DELETE" else body,
    }
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": asked}
    request = http_server.Request("POST", path, [], {}, json.dumps(review).encode(), "10.0.0.1", True)
    answer = json.loads(webhooks(request).body)
    assert (answer["kind"], answer["response"]["uid"]) == ("AdmissionReview", "1")
    return answer["response"]


def timeout(kind: str = "Mesh", **labels: str) -> dict[str, t.Any]:
    to = [{"targetRef": {"kind": kind}, "default": {"connectionTimeout": "5s"}}]
    metadata = {"name": "slow", "namespace": SYSTEM, "labels": labels}
    return {"kind": "MeshTimeout", "metadata": metadata, "spec": {"targetRef": {"kind": "Mesh"}, "to": to}}


def patch(response: dict[str, t.Any]) -> dict[str, t.Any]:
    return {one["path"]: one["value"] for one in json.loads(base64.b64decode(response["patch"]))}


def test_good_policy_is_taken(webhooks: admission.Admission) -> None:
    assert ask(webhooks, VALIDATE, timeout())["allowed"] is True


def test_wrong_policy_is_refused_with_field_and_reason(webhooks: admission.Admission) -> None:
    response = ask(webhooks, VALIDATE, timeout("MeshSubset"))
    assert response["allowed"] is False
    assert response["status"]["code"] == 422
    assert response["status"]["message"] == "spec.to[0].targetRef.kind: value 'MeshSubset' is not supported"
    (cause,) = response["status"]["details"]["causes"]
    assert (cause["field"], cause["message"]) == ("spec.to[0].targetRef.kind", "value 'MeshSubset' is not supported")


def test_mesh_with_dataplanes_is_not_let_go(webhooks: admission.Admission) -> None:
    mesh = {"kind": "Mesh", "metadata": {"name": "default"}}
    assert "still some dataplanes" in ask(webhooks, VALIDATE, mesh, "DELETE")["status"]["message"]
    other = {"kind": "Mesh", "metadata": {"name": "other"}}
    assert ask(webhooks, VALIDATE, other, "DELETE")["allowed"] is True


def test_labels_are_computed(webhooks: admission.Admission) -> None:
    labels = patch(ask(webhooks, DEFAULT, timeout(team="shop")))["/metadata/labels"]
    assert labels == {
        "k8s.kuma.io/namespace": SYSTEM,
        "kuma.io/env": "kubernetes",
        "kuma.io/mesh": "default",
        "kuma.io/origin": "zone",
        "kuma.io/policy-role": "system",
        "kuma.io/zone": "default",
        "team": "shop",
    }


def test_display_name_becomes_an_annotation(webhooks: admission.Admission) -> None:
    found = patch(ask(webhooks, DEFAULT, timeout(**{"kuma.io/display-name": "shown"})))
    assert found["/metadata/annotations"] == {"kuma.io/display-name": "shown"}
    assert "kuma.io/display-name" not in found["/metadata/labels"]


def test_fields_of_the_old_kinds_stand_in_a_spec(webhooks: admission.Admission) -> None:
    """What kuma_control_plane takes for the proof that webhooks answer."""
    response = ask(webhooks, VALIDATE, {**control_plane.PROBE})
    assert response["status"]["message"].startswith("spec.mtls.enabledBackend: ")


def test_resources_belong_to_their_mesh_which_must_be_there(webhooks: admission.Admission) -> None:
    path = "/owner-reference-kuma-io-v1alpha1"
    (owner,) = patch(ask(webhooks, path, timeout()))["/metadata/ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("Mesh", "default", "u")
    refused = ask(webhooks, path, timeout(**{"kuma.io/mesh": "none"}))
    assert refused["status"]["message"] == 'meshes.kuma.io "none" not found'


def test_pods_are_marked_and_get_no_container(webhooks: admission.Admission) -> None:
    pod = {"kind": "Pod", "metadata": {"name": "web", "namespace": "shop"}, "spec": {"containers": []}}
    found = patch(ask(webhooks, "/inject-sidecar", pod))
    assert list(found) == ["/metadata/annotations"]
    assert found["/metadata/annotations"]["kuma.io/sidecar-injected"] == "true"
    assert "no proxy" in found["/metadata/annotations"]["kuma-double/no-sidecar"]


def test_image_takes_the_settings_of_the_chart() -> None:
    environment = {
        "KUMA_ENVIRONMENT": "kubernetes",
        "KUMA_RUNTIME_KUBERNETES_ADMISSION_SERVER_PORT": "5443",
        "KUMA_GENERAL_TLS_CERT_FILE": "/tls.crt",
        "KUMA_GENERAL_TLS_KEY_FILE": "/tls.key",
        "KUMA_API_SERVER_AUTHN_LOCALHOST_IS_ADMIN": "false",
    }
    given = container.arguments(environment)
    assert given[-7:-1] == ["--admission-port", "5443", "--tls-cert", "/tls.crt", "--tls-key", "/tls.key"]
    assert given[-1] == "--no-localhost-admin"
    with pytest.raises(SystemExit, match="on Kubernetes only"):
        container.arguments({**environment, "KUMA_ENVIRONMENT": "universal"})


def test_lock_has_all_that_is_in_the_tree(tmp_path: Path) -> None:
    path = tmp_path / "lock.yml"
    subprocess.run([sys.executable, DOUBLES / "image_lock.py", path], check=True)
    text = path.read_bytes()
    components = {one.name: one for one in lock.parse(yaml.load(text, yaml.CSafeLoader), text, "amd64").components}
    image, chart, real = (components[name] for name in ("kuma-double", "kuma-double-chart", "kuma"))
    assert image.source is not None and chart.source is not None
    content = {entry["path"]: entry["content"] for entry in image.source["tree"]}
    for file in (DOUBLES / "kuma").rglob("*"):
        if file.suffix in (".py", ".json"):
            assert content[f"/usr/lib/kuma-double/kuma/{file.relative_to(DOUBLES / 'kuma')}"] == file.read_text()
    files = {entry["path"]: entry["content"] for entry in chart.source["tree"]}
    assert len([name for name in files if name.startswith("crds/")]) == len(definitions.CRDS) == 54
    assert files["templates/cp.yaml"] == (DOUBLES / "kuma/chart/templates/cp.yaml").read_text()
    # What is rendered, and how, is that of the real chart.
    assert (chart.chart, chart.files) == (real.chart, real.files)


@pytest.fixture(name="secured")
def fixture_secured(tmp_path: Path) -> ssl.SSLContext:
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj"]
    subprocess.run([*command, "/CN=kuma", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def test_who_has_asked_is_answered_when_it_ends(secured: ssl.SSLContext) -> None:
    """As by Go's servers: a review that an API server has sent is lost by no restart."""
    asked, answer = threading.Event(), threading.Event()

    def application(request: t.Any) -> t.Any:
        if request.path == "/slow":
            asked.set()
            assert answer.wait(10)
        return http_server.Response(200, b"{}")

    server = http_server.Server(("127.0.0.1", 0), application, secured)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    trusting = ssl._create_unverified_context()
    busy, idle = (
        http.client.HTTPSConnection("127.0.0.1", server.server_address[1], timeout=10, context=trusting) for _ in "ab"
    )
    idle.request("GET", "/quick")
    assert idle.getresponse().read() == b"{}"
    busy.request("GET", "/slow")
    assert asked.wait(10)
    leaving = threading.Thread(target=server.leave)
    leaving.start()
    assert idle.sock.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(server.server_address, timeout=10)
    assert leaving.is_alive()
    answer.set()
    answered = busy.getresponse()
    assert (answered.read(), answered.getheader("Connection")) == (b"{}", "close")
    leaving.join(10)
    assert not leaving.is_alive() and not server.handlers
