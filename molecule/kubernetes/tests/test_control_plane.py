"""The control planes, seen from outside: what is listened to, what is kept secret, and who gets in."""

from __future__ import annotations

import base64
import json
import time
import uuid

import pytest
from waiting import wait_for

pytestmark = pytest.mark.groups("kube_control_plane")

ETCD = "/etc/kubernetes/pki/etcd"
ETCDCTL = (
    "etcdctl --endpoints=https://127.0.0.1:2379 "
    f"--cacert={ETCD}/ca.crt --cert={ETCD}/healthcheck-client.crt --key={ETCD}/healthcheck-client.key"
)
AUDIT_LOG = "/var/log/kubernetes/audit/audit.log"


@pytest.fixture
def kubectl(host):
    """kubectl as the administrator, who reaches the API through the endpoint of this node."""
    assert ":8443" in host.check_output("grep server: /etc/kubernetes/admin.conf")

    def run(command, *arguments):
        return host.run(f"kubectl --kubeconfig /etc/kubernetes/admin.conf {command}", *arguments)

    return run


@pytest.fixture
def secret(kubectl):
    """A Secret of its own for each test: namespace, name and value."""
    name, value = f"verify-{uuid.uuid4().hex[:8]}", f"value-{uuid.uuid4().hex}"
    assert kubectl("create secret generic %s --from-literal=key=%s", name, value).rc == 0
    yield name, value
    assert kubectl("delete secret %s", name).rc == 0


@pytest.mark.parametrize("port", [10257, 10259, 2381])
def test_component_listens_on_loopback_only(host, port):
    addresses = host.check_output("ss -Hltn | awk '{print $4}'").split()
    assert {address for address in addresses if address.endswith(f":{port}")} == {f"127.0.0.1:{port}"}


def test_etcd_refuses_clients_without_a_certificate(host):
    assert host.run("curl --silent --insecure --max-time 5 https://127.0.0.1:2379/health").rc != 0


def test_nodes_are_ready(kubectl):
    nodes = json.loads(kubectl("get nodes --output json").stdout)["items"]
    assert nodes
    for node in nodes:
        conditions = {item["type"]: item["status"] for item in node["status"]["conditions"]}
        assert conditions["Ready"] == "True", node["metadata"]["name"]


def test_secrets_are_encrypted_at_rest(host, secret):
    name, value = secret
    raw = host.check_output(f"{ETCDCTL} get /registry/secrets/default/{name} --print-value-only | base64 --wrap=0")
    stored = base64.b64decode(raw)
    assert stored.startswith(b"k8s:enc:secretbox:v1:")
    assert value.encode() not in stored


def test_other_objects_can_be_read_in_etcd(host):
    # Or the test above would pass on any unreadable store.
    raw = host.check_output(f"{ETCDCTL} get /registry/namespaces/default --print-value-only | base64 --wrap=0")
    assert b"default" in base64.b64decode(raw)


def test_audit_log_has_who_did_what_but_no_secret(host, kubectl):
    name, value = f"verify-{uuid.uuid4().hex[:8]}", f"value-{uuid.uuid4().hex}"
    # Each API server writes what it was asked itself, and the endpoint of a node may ask any of them.
    server = f"--server https://{host.check_output('hostname -I').split()[0]}:6443"
    assert kubectl(f"create secret generic {name} --from-literal=key={value} {server}").rc == 0
    assert kubectl(f"delete secret {name} {server}").rc == 0
    # It writes in its own time, but soon.
    lines = wait_for(lambda: host.run("grep %s %s", name, AUDIT_LOG).stdout.splitlines(), 30, "a line of the audit log")
    created = [event for event in map(json.loads, lines) if event["verb"] == "create"]
    assert [event["user"]["username"] for event in created] == ["kubernetes-admin"]
    assert {event["level"] for event in created} == {"Metadata"}
    assert host.run("grep --quiet %s %s", value, AUDIT_LOG).rc == 1


def test_audit_log_is_root_only(host):
    file = host.file(AUDIT_LOG)
    assert (file.mode, file.user) == (0o600, "root")


def pod(**security) -> str:
    container = {"name": "c", "image": "registry.k8s.io/pause", "securityContext": security}
    return json.dumps(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "verify"}, "spec": {"containers": [container]}}
    )


@pytest.mark.parametrize(
    ("namespace", "security", "accepted"),
    [
        ("default", {"privileged": True}, False),
        ("default", {}, True),
        ("kube-system", {"privileged": True}, True),
    ],
)
def test_pod_security_is_on_by_default(host, kubectl, namespace, security, accepted):
    command = "apply --namespace %s --dry-run=server --filename - <<'EOF'\n" + pod(**security) + "\nEOF"
    result = kubectl(command, namespace)
    assert (result.rc == 0) is accepted, result.stderr
    if not accepted:
        assert "violates PodSecurity" in result.stderr


def request_certificate(kubectl, host, node, address):
    """Ask for what a kubelet of that name would ask for; returns the name of the request."""
    name = f"verify-{uuid.uuid4().hex[:8]}"
    request = host.check_output(
        "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null "
        "-subj %s -addext %s 2>/dev/null | base64 --wrap=0",
        f"/O=system:nodes/CN=system:node:{node}",
        f"subjectAltName=DNS:{node},IP:{address}",
    )
    body = {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": {
            "signerName": "kubernetes.io/kubelet-serving",
            "usages": ["digital signature", "server auth"],
            "request": request,
        },
    }
    identity = f"--as system:node:{node} --as-group system:nodes --as-group system:authenticated"
    created = kubectl(f"create {identity} --filename - <<'EOF'\n{json.dumps(body)}\nEOF")
    assert created.rc == 0, created.stderr
    return name


def test_serving_certificates_are_signed_for_known_nodes_only(host, kubectl):
    """What came before one that is signed has been looked at when that one is."""
    node, address = host.check_output("hostname"), host.check_output("hostname -I").split()[0]
    stranger = request_certificate(kubectl, host, "intruder", address)
    # A known node that asks for the address of somebody else.
    impostor = request_certificate(kubectl, host, node, "192.0.2.1")
    known = request_certificate(kubectl, host, node, address)

    def status(name):
        return json.loads(kubectl("get csr %s --output json", name).stdout)["status"]

    try:
        wait_for(lambda: status(known).get("certificate"), 60, "the certificate of a known node")
        # Those that came before may still be in another hand.
        time.sleep(2)
        for name in (stranger, impostor):
            found = status(name)
            assert "certificate" not in found
            assert "Approved" not in {condition["type"] for condition in found.get("conditions", [])}
    finally:
        assert kubectl(f"delete csr {stranger} {impostor} {known}").rc == 0
