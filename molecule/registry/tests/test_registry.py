"""The registries, seen from outside: over the network as users do, and by the state of their services."""

from __future__ import annotations

import base64
import http.client
import json
import pathlib
import ssl

import pytest
import testinfra
from waiting import wait_for

SCENARIO = pathlib.Path(__file__).parents[3] / ".lab/molecule/registry"
INVENTORY = str(SCENARIO / "inventory/hosts.ini")
ADDRESSES = {"registry1": "10.98.20.11", "registry2": "10.98.20.12"}
PULL, PUSH = 5000, 5443
SIDES = ("registry@pull", "registry@push")
COMPONENTS = {item["name"]: item for item in json.loads((SCENARIO / "bundle/bundle.json").read_text())["components"]}


def get_host(name):
    return testinfra.get_host(f"ansible://{name}", ansible_inventory=INVENTORY)


@pytest.fixture(scope="module")
def authority():
    return get_host("registry1").file("/etc/cloudnative/pki/ca.crt").content_string


@pytest.fixture(scope="module")
def users():
    push = get_host("registry1").file("/etc/cloudnative/secrets/registry-push").content_string.strip()
    return {"pull": "a password that was given", "push": push}


@pytest.fixture
def ask(host, authority, users):
    """One request to the registry of the host, its certificate checked."""
    address = ADDRESSES[host.backend.get_hostname()]

    def request(port, path, user=None, method="GET", name=address, tls=None):
        context = ssl.create_default_context(cadata=authority)
        if tls:
            context.maximum_version = tls
        headers = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
        if user:
            secret = users.get(user, "wrong")
            headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()
        connection = http.client.HTTPSConnection(name, port, timeout=10, context=context)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    return request


@pytest.mark.parametrize(
    ("port", "user", "status"),
    [
        (PULL, None, 401),
        (PULL, "pull", 200),
        (PULL, "push", 401),
        (PULL, "nobody", 401),
        (PUSH, None, 401),
        (PUSH, "push", 200),
        (PUSH, "pull", 401),
    ],
)
def test_who_gets_in(ask, port, user, status):
    assert ask(port, "/v2/", user)[0] == status


@pytest.mark.parametrize(
    ("port", "user", "status"), [(PULL, "pull", 405), (PUSH, "pull", 401), (PULL, None, 401), (PUSH, None, 401)]
)
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v2/a/b/blobs/uploads/"), ("PUT", "/v2/a/b/manifests/v1"), ("DELETE", "/v2/a/b/manifests/v1")],
)
def test_nobody_but_the_push_user_changes_anything(ask, port, user, status, method, path):
    assert ask(port, path, user, method)[0] == status


@pytest.mark.parametrize("name", sorted(COMPONENTS))
def test_content_of_the_bundle_is_served_by_digest_and_tag(ask, name):
    repository, tag = COMPONENTS[name]["ref"].rsplit(":", 1)
    by_digest = ask(PULL, f"/v2/{repository}/manifests/{COMPONENTS[name]['digest']}", "pull")
    by_tag = ask(PULL, f"/v2/{repository}/manifests/{tag}", "pull")
    assert by_digest == by_tag
    assert by_digest[0] == 200
    layer = json.loads(by_digest[1])["layers"][0]
    status, data = ask(PULL, f"/v2/{repository}/blobs/{layer['digest']}", "pull")
    assert (status, len(data)) == (200, layer["size"])


def test_old_tls_is_refused(ask):
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        ask(PULL, "/v2/", "pull", tls=ssl.TLSVersion.TLSv1_1)


def test_certificate_is_good_for_the_names_it_was_asked_for(host, authority):
    name = host.backend.get_hostname()
    out = host.check_output("openssl x509 -noout -ext subjectAltName -in /etc/registry/server.crt")
    for wanted in (f"IP Address:{ADDRESSES[name]}", f"DNS:{name}.example", "IP Address:127.0.0.1"):
        assert wanted in out
    other = next(address for address in ADDRESSES.values() if address != ADDRESSES[name])
    assert other not in out


@pytest.mark.parametrize("unit", SIDES)
def test_service_runs_hardened_as_its_own_user(host, unit):
    service = host.service(f"{unit}.service")
    assert service.is_running
    assert service.is_enabled
    assert host.check_output("systemctl show -P User %s", unit) == "registry"
    exposure = host.check_output("systemd-analyze security --no-pager %s | tail -1", f"{unit}.service")
    assert float(exposure.split(":")[1].split()[0]) < 2.0


def test_only_what_is_meant_to_listens(host):
    listening = set(host.check_output("ss -Hltn | awk '{print $4}'").split())
    assert {"127.0.0.1:5001", "127.0.0.1:5444", "*:5000", "*:5443"} <= listening
    assert "*:5001" not in listening and "*:5444" not in listening


@pytest.mark.parametrize("port", [5001, 5444])
def test_health_and_metrics(host, port):
    address = f"http://127.0.0.1:{port}"
    assert host.check_output(f"curl -sf {address}/debug/health").strip() == "{}"
    assert "go_goroutines" in host.check_output(f"curl -sf {address}/metrics")


@pytest.mark.parametrize(
    "path",
    ["/etc/cloudnative/pki/registry.key", "/etc/cloudnative/pki", "/etc/registry/environment"],
)
def test_secrets_are_for_root_only(host, path):
    file = host.file(path)
    assert (file.user, file.group) == ("root", "root")
    assert file.mode & 0o077 == 0


def test_authority_and_passwords_are_kept_once(host):
    first = host.backend.get_hostname() == "registry1"
    assert host.file("/etc/cloudnative/pki/ca.key").exists is first
    assert host.file("/etc/cloudnative/secrets/registry-push").exists is first
    # The password of the pull user was given, so nobody keeps it.
    assert not host.file("/etc/cloudnative/secrets/registry-pull").exists


def test_no_secret_is_in_a_log(host, users):
    log = host.check_output("journalctl --no-pager")
    for secret in users.values():
        assert secret not in log
    assert "PRIVATE KEY" not in log


def active(host):
    return {unit: host.run("systemctl is-active %s", unit).stdout.strip() for unit in (*SIDES, "registry-collect")}


def wait_until(host, expected):
    log = "journalctl --no-pager -u registry-gc -u registry-collect -u registry@push"
    wait_for(lambda: active(host) == expected, 60, lambda: f"{expected}; {host.check_output(log)}")


SERVING = {"registry@pull": "active", "registry@push": "active"}


@pytest.fixture
def slow_collection(host):
    """A collection that takes long enough to be looked at and killed."""
    directory = "/run/systemd/system/registry-collect.service.d"
    host.check_output("mkdir -p %s", directory)
    host.check_output("printf '[Service]\nExecStartPre=/bin/sleep 60\n' > %s/slow.conf", directory)
    host.check_output("systemctl daemon-reload")
    yield
    host.check_output("rm -r %s && systemctl daemon-reload", directory)
    host.run("systemctl stop registry-gc registry-collect")
    host.run("systemctl reset-failed")


@pytest.mark.parametrize("end", ["kill -s KILL registry-gc", "kill -s KILL registry-collect", "stop registry-gc"])
def test_registry_is_read_only_while_garbage_is_collected_and_comes_back(host, ask, slow_collection, end):
    host.check_output("systemctl start --no-block registry-gc")
    wait_until(host, {"registry@pull": "active", "registry@push": "inactive", "registry-collect": "activating"})
    assert ask(PULL, "/v2/", "pull")[0] == 200
    with pytest.raises(ConnectionRefusedError):
        ask(PUSH, "/v2/", "push")
    host.check_output(f"systemctl {end}")
    wait_until(host, {**SERVING, "registry-collect": "failed"})


def test_garbage_is_collected(host, ask):
    blob = "/var/lib/registry/docker/registry/v2/blobs/sha256/00/" + "0" * 64
    host.check_output(
        "install -d -o registry -g registry /var/lib/registry/docker/registry/v2/blobs/sha256/00 %s", blob
    )
    host.check_output("echo garbage > %s/data && chown registry %s/data", blob, blob)
    host.check_output("systemctl start registry-gc")
    wait_until(host, {**SERVING, "registry-collect": "inactive"})
    assert not host.file(blob).exists
    for component in COMPONENTS.values():
        path = f"/v2/{component['ref'].rsplit(':', 1)[0]}/manifests/{component['digest']}"
        assert ask(PULL, path, "pull")[0] == 200


def test_timer_is_set(host):
    assert host.service("registry-gc.timer").is_running
    assert host.service("registry-gc.timer").is_enabled
