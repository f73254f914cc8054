"""containerd as the kubelet uses it, with the registries going away under it."""

from __future__ import annotations

import contextlib
import json

import pytest
import testinfra

PAUSE = "registry.k8s.io/pause"
RUN = "cloudnative-test"


@pytest.fixture
def node(host):
    if host.backend.get_hostname() != "node1":
        pytest.skip("containerd runs on the node only")
    return host


@pytest.fixture
def registries(request):
    inventory = request.config.getoption("--ansible-inventory")
    return testinfra.get_hosts(["ansible://registry1", "ansible://registry2"], ansible_inventory=inventory)


@contextlib.contextmanager
def stopped(*registries):
    """Registries that are gone for a while."""
    try:
        for registry in registries:
            registry.check_output("systemctl stop registry@pull.service")
        yield
    finally:
        for registry in registries:
            registry.check_output("systemctl start registry@pull.service")


@pytest.fixture
def pause(node):
    """Name of the pause image, which the host doesn't have yet."""
    tag = node.check_output("sed -n 's/^ *sandbox = \"\\(.*\\)\"$/\\1/p' /etc/containerd/config.toml")
    assert tag.startswith(f"{PAUSE}:")
    node.run("crictl rmi %s", tag)
    yield tag
    node.run("crictl rmi %s", tag)


def test_service(node):
    service = node.service("containerd")
    assert service.is_running
    assert service.is_enabled
    assert node.socket("unix:///run/containerd/containerd.sock").is_listening


def test_runtime_is_ready_for_the_kubelet(node):
    info = json.loads(node.check_output("crictl info"))
    conditions = {item["type"]: item["status"] for item in info["status"]["conditions"]}
    assert conditions["RuntimeReady"] is True
    assert info["config"]["containerd"]["runtimes"]["runc"]["options"]["SystemdCgroup"] is True


def test_metrics_are_served_to_the_host_alone(node):
    assert "containerd_build_info_total" in node.check_output("curl --silent http://127.0.0.1:1338/v1/metrics")
    assert not node.socket("tcp://0.0.0.0:1338").is_listening


def test_credentials_are_for_root_alone(node):
    files = node.check_output("grep --recursive --files-with-matches 'Basic ' /etc").split()
    # One for each of containerd_upstreams, and one for all others.
    assert len(files) == 6
    for path in files:
        assert path.endswith("/hosts.toml")
        assert (node.file(path).user, node.file(path).mode) == ("root", 0o600)


def test_no_credentials_in_the_journal(node):
    line = node.check_output("grep --no-filename Basic /etc/containerd/certs.d/_default/hosts.toml | head -1")
    assert node.run("journalctl --no-pager | grep --fixed-strings %s", line.split('"')[1]).rc == 1


def test_pull_and_run(node, pause):
    node.check_output("crictl pull %s", pause)
    image = json.loads(node.check_output("crictl inspecti %s", pause))["status"]
    assert image["repoTags"] == [pause]
    assert image["pinned"] is True
    ctr = "ctr --namespace k8s.io"
    try:
        node.check_output(f"{ctr} run --detach --runc-systemd-cgroup --cgroup system.slice:test:{RUN} %s {RUN}", pause)
        assert "RUNNING" in node.check_output(f"{ctr} tasks ls | grep {RUN}")
        assert f"test-{RUN}.scope" in node.check_output("systemctl list-units --type=scope --plain --no-legend")
    finally:
        node.run(f"{ctr} tasks kill --signal KILL {RUN}; sleep 1; {ctr} containers rm {RUN}")


@pytest.mark.parametrize("lost", [0, 1])
def test_pull_while_one_registry_is_lost(node, registries, pause, lost):
    with stopped(registries[lost]):
        node.check_output("crictl pull %s", pause)


def test_no_pull_while_all_registries_are_lost(node, registries, pause):
    with stopped(*registries):
        pull = node.run("crictl pull %s", pause)
    assert pull.rc != 0
    assert "connection refused" in pull.stderr
    assert "10.98.40." in pull.stderr
    assert "registry.k8s.io/v2" not in pull.stderr


@pytest.mark.parametrize("image", ["docker.io/library/busybox:1", "localhost:5000/x:1", "registry.example.com/a/b:1"])
def test_unknown_image_is_not_looked_for_elsewhere(node, image):
    since = node.check_output("date '+%Y-%m-%d %H:%M:%S.%6N'")
    pull = node.run("crictl pull %s", image)
    assert pull.rc != 0
    assert "not found" in pull.stderr
    log = node.check_output("journalctl --unit=containerd --since=%s --output=cat --no-pager", since)
    asked = [word for word in log.split() if word.startswith("url=")]
    assert asked
    assert all(url.startswith('url="https://10.98.40.') for url in asked)
