"""The nodes, seen from outside: services, sockets, files, and the API through the endpoint of each node."""

from __future__ import annotations

import json
import re

import pytest
from testinfra.utils.ansible_runner import AnsibleRunner

pytestmark = pytest.mark.groups("kube_control_plane", "kube_node")

API = "https://api.kubernetes.internal:8443"
CA = "/etc/kubernetes/pki/ca.crt"


@pytest.fixture
def listening(host) -> set[str]:
    """Addresses with port, without those that IPv4 and IPv6 share as '*'."""
    return set(host.check_output("ss -Hltn | awk '{print $4}'").split())


def show_journal(host, unit):
    print(host.run("journalctl --no-pager --lines=50 --unit=%s", unit).stdout)


@pytest.mark.parametrize("unit", ["containerd", "kubelet", "kubernetes-api-proxy"])
def test_unit_runs_and_starts_at_boot(host, unit):
    service = host.service(unit)
    if not service.is_running:
        show_journal(host, unit)
    assert service.is_running
    assert service.is_enabled


def test_no_unit_failed(host):
    assert host.check_output("systemctl list-units --failed --no-legend --plain") == ""


def test_proxy_listens_on_loopback_only(listening):
    assert {address for address in listening if address.endswith(":8443")} == {"127.0.0.1:8443"}


def test_kubelet_listens_and_its_health_on_loopback_only(listening):
    assert "*:10250" in listening
    assert {address for address in listening if address.endswith(":10248")} == {"127.0.0.1:10248"}


def test_read_only_port_of_the_kubelet_is_closed(listening):
    assert not [address for address in listening if address.endswith(":10255")]


def test_api_answers_through_the_endpoint_of_this_node(host):
    assert host.check_output("curl --silent --fail --max-time 10 --cacert %s %s/readyz", CA, API) == "ok"


def test_api_name_is_this_host(host):
    assert host.check_output("getent hosts api.kubernetes.internal").split()[0] == "127.0.0.1"


def test_nobody_reads_the_api_without_credentials(host):
    status = "curl --silent --max-time 10 --cacert %s --output /dev/null --write-out '%%{http_code}' %s/api/v1/nodes"
    assert host.check_output(status, CA, API) in ("401", "403")


def test_nobody_uses_the_kubelet_without_credentials(host):
    command = "curl --silent --insecure --max-time 10 --output /dev/null --write-out '%{http_code}' "
    assert host.check_output(f"{command} https://127.0.0.1:10250/pods") in ("401", "403")


def test_serving_certificate_of_the_kubelet_is_signed_by_the_cluster(host):
    name = host.check_output("hostname")
    shown = host.check_output(
        "openssl s_client -connect 127.0.0.1:10250 -CAfile %s -verify_return_error </dev/null 2>/dev/null | "
        "openssl x509 -noout -subject -issuer -text",
        CA,
    )
    assert f"system:node:{name}" in shown
    assert re.search(r"issuer=.*CN ?= ?kubernetes", shown)
    assert "id-ecPublicKey" in shown


def test_every_certificate_has_an_elliptic_key(host):
    found = host.check_output(
        "find /etc/kubernetes/pki /var/lib/kubelet/pki -name '*.crt' -o -name '*-current.pem' | while read -r path; do "
        'echo "$path $(openssl x509 -in "$path" -noout -text | grep "Public Key Algorithm")"; done'
    ).splitlines()
    assert found
    assert [line for line in found if "id-ecPublicKey" not in line] == []


def test_only_root_reads_what_is_secret(host):
    # Found by content, so that a file nobody thought of is found as well.
    readable = host.check_output(
        "find /etc/kubernetes /etc/containerd /var/lib/kubelet/pki /etc/cloudnative -type f "
        "\\( -perm /077 -o ! -user root \\) "
        "-exec grep -lE 'PRIVATE KEY|client-key-data|Authorization|secretbox' {} + 2>/dev/null; true"
    )
    assert readable == ""


def test_credentials_of_the_registry_are_there_and_root_only(host):
    for path in host.check_output("find /etc/containerd/certs.d -name hosts.toml").splitlines():
        file = host.file(path)
        assert "Authorization" in file.content_string
        assert (file.mode, file.user) == (0o600, "root")


def test_images_come_from_our_registry_and_nowhere_else(host, request):
    inventory = AnsibleRunner(request.config.getoption("ansible_inventory"))
    ours = {f"https://{inventory.get_variables(name)['ansible_host']}" for name in inventory.get_hosts("registry")}
    names = host.check_output("ls /etc/containerd/certs.d").split()
    assert {"_default", "docker.io", "registry.k8s.io"} <= set(names)
    urls = host.check_output("grep -rhoE 'https?://[^\"/]+' /etc/containerd/certs.d").split()
    assert {re.sub(r":\d+$", "", url) for url in urls} == ours


def test_containerd_runs_with_the_configuration_it_should(host):
    assert host.file("/etc/containerd/config.toml").contains("^version = 3$")
    # What it makes of its file and its defaults.
    shown = host.check_output("containerd config dump")
    assert "SystemdCgroup = true" in shown
    assert re.search(r"sandbox = ['\"]registry\.k8s\.io/pause:", shown)
    assert re.search(r"config_path = ['\"]/etc/containerd/certs\.d['\"]", shown)


def test_container_runtime_is_ready(host):
    status = json.loads(host.check_output("crictl info"))["status"]
    conditions = {item["type"]: item["status"] for item in status["conditions"]}
    assert conditions["RuntimeReady"] is True
    assert conditions["NetworkReady"] is True


def test_image_outside_of_the_bundle_cannot_be_pulled(host):
    result = host.run("crictl pull docker.io/library/busybox:latest")
    assert result.rc != 0
    assert "not found" in result.stderr


def test_kernel_forwards(host):
    assert host.sysctl("net.ipv4.ip_forward") == 1


def test_no_swap(host):
    assert host.check_output("tail -n +2 /proc/swaps") == ""
