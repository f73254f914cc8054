"""The mesh on hosts, from outside: services call each other through real Envoys, and things go away under them.

What stands for kuma-cp and kuma-dp are doubles; PostgreSQL, Envoy and systemd are real.
"""

from __future__ import annotations

import base64
import json
import subprocess
import time
import typing as t

import pytest
import testinfra
from waiting import wait_for

CONTROL_PLANE = pytest.mark.groups("kuma_control_plane")
WEB = "http://127.0.0.1:20080/"
DATAPLANES = ["api-dp1", "api-dp2", "web-1"]
LOAD = """
import collections, time, urllib.request
end, seen = time.monotonic() + {seconds}, collections.Counter()
while time.monotonic() < end:
    try:
        with urllib.request.urlopen("{url}", timeout=5) as answer:
            seen[answer.read().decode().strip()] += 1
    except OSError as error:
        seen["failed: " + str(error)] += 1
    time.sleep(0.02)
print(*(f"{{name}}={{number}}" for name, number in sorted(seen.items())), sep="\\n")
"""


@pytest.fixture(scope="module")
def hosts(request: pytest.FixtureRequest, host: t.Any) -> dict[str, t.Any]:
    inventory = request.config.getoption("--ansible-inventory")
    found = testinfra.get_hosts(
        [f"ansible://{name}" for name in ("cp1", "cp2", "dp1", "dp2")], ansible_inventory=inventory
    )
    return {one.backend.get_hostname(): one for one in found}


@pytest.fixture
def mesh(playbook: t.Any) -> t.Callable[..., subprocess.CompletedProcess[str]]:
    """Run the plays of the mesh once more."""
    return lambda *arguments: playbook("../molecule/kuma-hosts/again", *arguments)


def api(host: t.Any, path: str, *options: str) -> t.Any:
    command = f"curl --silent --show-error {' '.join(options)} http://127.0.0.1:5681{path}"
    return json.loads(host.check_output(command))


def online(host: t.Any) -> list[str]:
    items = api(host, "/meshes/default/dataplanes/_overview")["items"]
    subscriptions = {item["name"]: (item.get("dataplaneInsight") or {}).get("subscriptions") or [] for item in items}
    return sorted(name for name, found in subscriptions.items() if any("disconnectTime" not in one for one in found))


def answers_ready(host: t.Any, port: int) -> bool:
    return bool(host.run(f"curl --silent --fail http://127.0.0.1:{port}/ready").rc == 0)


def wait_for_all_dataplanes(host: t.Any) -> None:
    wait_for(lambda: online(host) == DATAPLANES, 60, lambda: f"all data planes online: {online(host)}")


def administer(host: t.Any, method: str, path: str, body: dict[str, t.Any]) -> str:
    """A request with the administrator's token, on a control plane's own host."""
    token = host.file("/etc/kuma/admin.token").content_string.strip()
    options = f"--silent --fail --request {method} -H 'Content-Type: application/json' --data @-"
    command = f"curl {options} -H 'Authorization: Bearer {token}' http://127.0.0.1:5681{path}"
    return str(host.check_output("sh -c %s", f"echo '{json.dumps(body)}' | {command}"))


def issue(host: t.Any, name: str, valid_for: str) -> str:
    tags = {"kuma.io/service": ["api"]}
    body = {
        "mesh": "default",
        "name": name,
        "workload": "api",
        "tags": tags,
        "type": "dataplane",
        "validFor": valid_for,
    }
    return administer(host, "POST", "/tokens/dataplane", body)


def load(host: t.Any, seconds: float) -> subprocess.Popen[str]:
    """Requests to api through the sidecar of web, from dp1, until the seconds are over."""
    name = f"molecule-kuma-hosts-{host.backend.get_hostname()}"
    script = LOAD.format(seconds=seconds, url=WEB)
    return subprocess.Popen(["podman", "exec", name, "python3", "-c", script], stdout=subprocess.PIPE, text=True)


def answers(process: subprocess.Popen[str]) -> dict[str, int]:
    out, _ = process.communicate(timeout=120)
    return {name: int(number) for name, _, number in (line.rpartition("=") for line in out.splitlines())}


@pytest.mark.groups("kuma_control_plane", once=True)
def test_web_reaches_both_instances_of_api(hosts):
    wait_for_all_dataplanes(hosts["cp1"])
    seen: set[str] = set()

    def both_answered() -> bool:
        seen.update(hosts["dp1"].run(f"for _ in 1 2 3 4 5 6; do curl --silent --max-time 5 {WEB}; done").stdout.split())
        return {"dp1", "dp2"} <= seen

    log = "journalctl --unit kuma-dp@web-1 --no-pager --lines 20"
    wait_for(both_answered, 60, lambda: f"both answer: {seen}\n{hosts['dp1'].check_output(log)}")
    head = hosts["dp1"].check_output(f"curl --silent --head --request GET {WEB}")
    assert "server: envoy" in head.lower()


@CONTROL_PLANE
def test_control_plane_shares_its_state_with_the_other_one(host, hosts):
    names = {
        name: [one["name"] for one in api(hosts[name], "/meshes/default/dataplanes")["items"]]
        for name in ("cp1", "cp2")
    }
    assert names["cp1"] == names["cp2"] == ["api-dp1", "api-dp2", "web-1"]
    assert api(hosts["cp1"], "/")["clusterId"] == api(hosts["cp2"], "/")["clusterId"]


@pytest.mark.groups("kuma_control_plane", once=True)
def test_the_schema_was_migrated_once_before_anything_ran(hosts):
    logs = {
        name: hosts[name].check_output("journalctl --unit kuma-cp --output cat --no-pager") for name in ("cp1", "cp2")
    }
    assert logs["cp1"].count("DB has been migrated for Kuma") == 1
    assert "DB has already been migrated for Kuma" in logs["cp2"]
    assert "DB has been migrated for Kuma" not in logs["cp2"]
    assert "database is not migrated" not in logs["cp1"] + logs["cp2"]


@CONTROL_PLANE
def test_one_certificate_for_all_control_planes(host, hosts):
    sums = {hosts[name].file("/etc/kuma-cp/server.crt").sha256sum for name in ("cp1", "cp2")}
    assert len(sums) == 1


@CONTROL_PLANE
def test_nobody_gets_in_who_should_not(host):
    assert host.socket("tcp://127.0.0.1:5681").is_listening
    assert not host.socket("tcp://0.0.0.0:5681").is_listening
    status = "curl --silent --output /dev/null --write-out '%{http_code}'"
    assert host.check_output(f"{status} http://127.0.0.1:5681/global-secrets") == "403"
    tls = f"{status} --cacert /etc/kuma-cp/ca.crt https://127.0.0.1:5682/"
    assert host.run(tls).stdout == "000"


@pytest.mark.groups("kuma_control_plane", once=True)
def test_the_administrator_gets_in_over_tls(hosts):
    token = hosts["cp1"].file("/etc/kuma/admin.token").content_string.strip()
    command = (
        "curl --silent --cacert /etc/kuma-cp/ca.crt --cert /etc/kuma/pki/client.crt --key /etc/kuma/pki/client.key"
    )
    answer = hosts["cp1"].check_output(
        f"{command} -H %s https://127.0.0.1:5682/global-secrets", f"Authorization: Bearer {token}"
    )
    assert json.loads(answer)["total"] >= 5


@CONTROL_PLANE
def test_secrets_of_the_control_plane_are_for_root_and_itself(host):
    assert host.file("/etc/kuma-cp/environment").mode == 0o600
    assert (host.file("/etc/kuma-cp/server.key").group, host.file("/etc/kuma-cp/server.key").mode) == ("kuma-cp", 0o640)
    assert (
        host.run("grep --recursive --fixed-strings --quiet 'HOME `id`' /etc/systemd /etc/kuma-cp/kuma-cp.yml").rc == 1
    )
    assert host.run("journalctl --no-pager | grep --fixed-strings 'HOME `id`'").rc == 1
    assert host.run("ps -e -o args | grep --fixed-strings 'HOME `id`' | grep -v grep").stdout == ""


@pytest.mark.groups("kuma_control_plane", "kuma_dataplane")
def test_units_are_confined(host):
    unit = (
        "kuma-cp.service" if host.file("/etc/kuma-cp").exists else f"kuma-dp@api-{host.backend.get_hostname()}.service"
    )
    score = host.check_output("systemd-analyze security --no-pager %s | tail -1", unit)
    assert float(score.split(":")[1].split()[0]) < 3.0, score


@pytest.mark.groups("kuma_dataplane")
def test_tokens_are_good_for_one_data_plane(host):
    name = f"api-{host.backend.get_hostname()}"
    token = host.file(f"/etc/kuma-dp/{name}/token")
    assert (token.user, token.group, token.mode) == ("root", "kuma-dp", 0o640)
    claims = json.loads(base64.urlsafe_b64decode(token.content_string.split(".")[1] + "=="))
    assert (claims["Name"], claims["Workload"], claims["Tags"]) == (name, "api", {"kuma.io/service": ["api"]})
    assert claims["exp"] - time.time() < 31 * 86400


@CONTROL_PLANE
def test_the_mesh_is_what_the_variables_and_the_call_graph_say(host):
    """What the role gave one control plane is there on each."""
    mesh = "/meshes/default"
    assert api(host, mesh)["meshServices"] == {"mode": "Exclusive"}
    assert api(host, f"{mesh}/meshtlses/mode")["spec"]["rules"] == [{"default": {"mode": "Permissive"}}]
    identity = api(host, f"{mesh}/meshidentities/identity")
    assert identity["spec"]["spiffeID"]["path"] == "/workload/{{ .Workload }}"
    assert {one["type"]: one["status"] for one in identity["status"]["conditions"]}["Ready"] == "True"
    trust = api(host, f"{mesh}/meshtrusts/identity")["spec"]["trustDomain"]
    allowed = api(host, f"{mesh}/meshtrafficpermissions/calls-to-api")["spec"]
    callee = allowed["targetRef"]["labels"].items()
    items = api(host, f"{mesh}/dataplanes")["items"]
    assert sorted(one["name"] for one in items if callee <= one["labels"].items()) == ["api-dp1", "api-dp2"]
    caller = {"spiffeID": {"type": "Exact", "value": f"spiffe://{trust}/workload/web"}}
    assert allowed["rules"] == [{"default": {"allow": [caller]}}]
    # dp1 has two data planes, which can't serve their metrics at one port.
    number = {one["name"]: one["labels"].get("cloudnative.platform/dataplane") for one in items}
    assert number == {"web-1": None, "api-dp1": "2", "api-dp2": None}
    second = api(host, f"{mesh}/meshmetrics/metrics-default-2")["spec"]
    assert second["targetRef"]["labels"] == {"cloudnative.platform/dataplane": "2"}


@pytest.mark.disruptive
@pytest.mark.groups("kuma_control_plane", once=True)
def test_strict_mtls_waits_for_every_data_plane(hosts, mesh):
    """The double says of each data plane that is connected that it has a certificate; of this one nobody can say it."""
    cp1, cp2, path = hosts["cp1"], hosts["cp2"], "/meshes/default/dataplanes/gone"
    gone = {"labels": {"kuma.io/workload": "gone"}, "networking": {"address": "192.0.2.1"}}
    administer(cp1, "PUT", path, {"type": "Dataplane", "mesh": "default", "name": "gone", **gone})
    strict = ("--limit", "cp1,cp2", "-e", "kuma_mtls_mode=strict")
    refused = mesh(*strict)
    assert refused.returncode != 0
    assert "default/gone is offline" in refused.stdout
    modes = [api(cp2, "/meshes/default/meshtlses/mode")["spec"]["rules"][0]["default"]["mode"]]
    administer(cp1, "DELETE", path, {})
    for arguments in (strict, strict[:2]):
        assert mesh(*arguments).returncode == 0
        modes.append(api(cp2, "/meshes/default/meshtlses/mode")["spec"]["rules"][0]["default"]["mode"])
    assert modes == ["Permissive", "Strict", "Permissive"]


@pytest.mark.disruptive
@pytest.mark.groups("kuma_control_plane", once=True)
def test_draining_a_data_plane_loses_no_request(hosts):
    requests = load(hosts["dp1"], 14)
    time.sleep(1)
    hosts["dp2"].check_output("systemctl restart kuma-dp@api-dp2.service")
    log = hosts["dp2"].check_output("journalctl --unit kuma-dp@api-dp2 --output cat --no-pager --lines 30")
    assert "waiting for connections to be drained" in log
    assert "Envoy terminated successfully" in log
    seen = answers(requests)
    assert [name for name in seen if name.startswith("failed")] == [], seen
    assert seen["dp1"] > 50
    assert seen["dp2"] > 5


@pytest.mark.disruptive
@pytest.mark.groups("kuma_control_plane", once=True)
def test_one_control_plane_is_enough(hosts):
    hosts["cp1"].check_output("systemctl stop kuma-cp.service")
    try:
        requests = load(hosts["dp1"], 6)
        wait_for_all_dataplanes(hosts["cp2"])
        # A new connection goes to the other one as well.
        hosts["dp2"].check_output("systemctl restart kuma-dp@api-dp2.service")
        wait_for(lambda: answers_ready(hosts["dp2"], 9902), 60, "the data plane is ready")
        seen = answers(requests)
        assert [name for name in seen if name.startswith("failed")] == [], seen
    finally:
        hosts["cp1"].check_output("systemctl start kuma-cp.service")
    wait_for(lambda: answers_ready(hosts["cp1"], 5680), 60, "the control plane is ready")


@pytest.mark.disruptive
@pytest.mark.groups("kuma_control_plane", once=True)
def test_a_token_near_its_end_is_replaced_and_only_its_data_plane_restarts(hosts, mesh, running):
    token = issue(hosts["cp1"], "api-dp2", "1h")
    for name, path in (("cp1", "/etc/kuma/tokens/default.api-dp2"), ("dp2", "/etc/kuma-dp/api-dp2/token")):
        hosts[name].check_output("sh -c %s", f"printf %s '{token}' > {path}")
    hosts["dp2"].check_output("systemctl restart kuma-dp@api-dp2.service")
    before = {name: running(hosts[name]) for name in hosts}
    told = mesh("--limit", "cp1,dp1,dp2", "--check", "--diff")
    assert told.returncode == 0
    assert "restarted: /etc/kuma-dp/api-dp2/token changes" in told.stdout
    done = mesh("--limit", "cp1,dp1,dp2", "--diff")
    assert done.returncode == 0
    assert token not in told.stdout + done.stdout
    after = {name: running(hosts[name]) for name in hosts}
    changed = {unit for name in hosts for unit in before[name] if after[name].get(unit) != before[name][unit]}
    assert changed == {"unit kuma-dp@api-dp2.service"}
    written = hosts["dp2"].file("/etc/kuma-dp/api-dp2/token").content_string
    assert json.loads(base64.urlsafe_b64decode(written.split(".")[1] + "=="))["exp"] > time.time() + 29 * 86400


@pytest.mark.disruptive
@pytest.mark.groups("kuma_control_plane", once=True)
def test_a_revoked_token_is_refused_and_replaced(hosts, mesh):
    cp1, dp2 = hosts["cp1"], hosts["dp2"]
    claims = dp2.file("/etc/kuma-dp/api-dp2/token").content_string.split(".")[1]
    identifier = json.loads(base64.urlsafe_b64decode(claims + "=="))["jti"]
    name = "dataplane-token-revocations-default"
    secret = {"type": "Secret", "mesh": "default", "name": name, "data": base64.b64encode(identifier.encode()).decode()}
    administer(cp1, "PUT", f"/meshes/default/secrets/{name}", secret)
    dp2.check_output("systemctl restart kuma-dp@api-dp2.service")
    log = "journalctl --unit kuma-dp@api-dp2 --output cat --no-pager --lines 5"
    wait_for(lambda: "authentication failed" in dp2.check_output(log), 60, "the token is refused")
    # The process is up all the same.
    assert dp2.service("kuma-dp@api-dp2").is_running
    assert not answers_ready(dp2, 9902)
    # The same run turns the transparent proxy on, for the next test.
    assert mesh("--limit", "cp1,dp2", "-e", '{"kuma_dataplane_transparent_proxy": true}').returncode == 0
    wait_for_all_dataplanes(cp1)


@pytest.mark.disruptive
@pytest.mark.groups("kuma_control_plane", once=True)
def test_the_transparent_proxy_takes_the_traffic(hosts):
    dp2 = hosts["dp2"]
    assert "KUMA_MESH_OUTBOUND" in dp2.check_output("iptables-save --table nat")
    vip = api(hosts["cp1"], "/meshes/default/meshservices/api")["status"]["vips"][0]["ip"]
    command = f"curl -s --max-time 3 http://{vip}:8080/"
    wait_for(lambda: dp2.run(command).stdout.strip() in ("dp1", "dp2"), 60, "api answers at its address in the mesh")
    # What comes in goes through Envoy, which gets it by its original address.
    address = dp2.check_output("hostname --all-ip-addresses").split()[0]
    head = hosts["dp1"].check_output(f"curl --silent --head --request GET http://{address}:8080/")
    assert "server: envoy" in head.lower()


@pytest.mark.disruptive
@pytest.mark.groups("kuma_control_plane", once=True)
def test_no_control_plane_is_told(hosts, mesh):
    for name in ("cp1", "cp2"):
        hosts[name].check_output("systemctl stop kuma-cp.service")
    try:
        hosts["dp2"].check_output("systemctl kill --signal=KILL kuma-dp@api-dp2.service")
        # What runs goes on.
        assert hosts["dp1"].check_output(f"curl -s {WEB}").strip() == "dp1"
        log = "journalctl --unit kuma-dp@api-dp2 --output cat --no-pager --lines 5"
        told = "could not fetch bootstrap configuration"
        wait_for(lambda: told in hosts["dp2"].check_output(log), 60, "no control plane, says the data plane")
    finally:
        for name in ("cp1", "cp2"):
            hosts[name].check_output("systemctl start kuma-cp.service")
    wait_for_all_dataplanes(hosts["cp1"])


@pytest.mark.disruptive
@pytest.mark.groups("kuma_control_plane", once=True)
def test_a_wrong_database_password_is_told_and_stops_the_roll_out(hosts, mesh):
    done = mesh("--limit", "cp1,cp2", "-e", "kuma_hosts_postgres_password=wrong", "-e", "kuma_hosts_start_timeout=8")
    assert done.returncode != 0
    assert "password authentication failed for user" in done.stdout
    assert answers_ready(hosts["cp2"], 5680)
    # The same run as it should be mends that, and takes the transparent proxy away.
    assert mesh("--limit", "cp1,dp2").returncode == 0
    wait_for(lambda: answers_ready(hosts["cp1"], 5680), 60, "the control plane is ready")
    rules = hosts["dp2"].check_output("iptables-save --table nat")
    assert "KUMA_MESH" not in rules
    assert "kuma-keeps-open" not in rules
    assert not hosts["dp2"].file("/etc/systemd/system/kuma-transparent-proxy.service").exists


@pytest.mark.disruptive
@pytest.mark.groups("kuma_control_plane", once=True)
def test_it_goes_without_a_trace(hosts, playbook, left_behind):
    """The last test: nothing is there afterwards."""
    arguments = ("-e", "reset_confirm=kubernetes")
    refused = playbook("reset", "-e", "reset_hosts=kuma_control_plane", *arguments)
    assert refused.returncode != 0
    assert "the data planes on dp1, dp2 would stay without any" in " ".join(refused.stdout.split())
    done = playbook("reset", "-e", "reset_hosts=all", *arguments)
    assert done.returncode == 0
    assert "Taken back: dp1, dp2, cp1, cp2." in done.stdout
    assert {name: found for name, host in hosts.items() if (found := left_behind(host))} == {}
    query = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert int(hosts["cp1"].check_output("su postgres -c %s", f'psql --no-psqlrc -tA kuma -c "{query}"')) > 0
    again = playbook("reset", "-e", "reset_hosts=all", *arguments)
    assert again.stdout.count("changed=0") == len(hosts) + 1
