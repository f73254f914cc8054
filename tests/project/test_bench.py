"""The measurement behind `make bench`, as far as it is arithmetic and text."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess

import pytest
import yaml

import bench_apply
import bench_figures
import bench_floor
import bench_kong
import bench_kuma
import bench_lab
import bench_measure
import bench_module
import bench_report
import bench_simulate
import bench_times
from lab_run import Failed, Phase

SCRIPTS = pathlib.Path(__file__).parents[2] / "scripts"


def events(*lines: tuple) -> str:
    keys = {"task": ("pattern", "role", "name"), "result": ("host", "changed"), "end": ()}
    return "".join(
        json.dumps({"event": event, "time": time, **dict(zip(keys[event], values))}) + "\n"
        for event, time, *values in lines
    )


TIMES = events(
    ("task", 10.0, "localhost", "", "Judge inventory and variables"),
    ("result", 10.5, "localhost", False),
    ("task", 10.9, "registry", "", "Take or renew the lock of the platform"),
    ("task", 11.0, "registry", "host", "Set kernel, names and mounts"),
    ("result", 12.0, "registry1", True),
    ("task", 13.0, "registry", "registry", "Run the registry"),
    ("result", 14.0, "registry1", True),
    ("task", 15.0, "kube_control_plane:kube_node", "host", "Set kernel, names and mounts"),
    ("result", 15.5, "cp1", True),
    ("task", 16.0, "kube_control_plane:kube_node", "", "Compare what was found on the hosts"),
    ("task", 17.0, "kube_control_plane:kube_node", "containerd", "Install containerd and runc"),
    ("task", 20.0, "kube_control_plane:kube_node", "kubernetes", "Join the cluster"),
    ("task", 25.0, "kube_control_plane:kube_node", "network", "Give the cluster its pod network"),
    ("task", 27.0, "kube_control_plane:kube_node", "kubernetes", "Spread CoreDNS over nodes"),
    ("task", 28.0, "kube_control_plane:kube_node", "storage", "Something of a role to come"),
    ("end", 30.0),
)


def test_phases_add_up_to_the_whole_run():
    phases = bench_times.phases(bench_times.read(TIMES), 21.5)
    assert phases == {
        "start": 1.5,
        "input": 1.9,
        "lock": 0.1,
        "registry": 4.0,
        "hosts": 1.0,
        "containerd": 3.0,
        "cluster": 5.0,
        "network": 3.0,
        "storage": 2.0,
    }
    assert sum(phases.values()) == 21.5


def test_who_changed_how_much():
    tasks = bench_times.read(TIMES)
    assert bench_times.changed_by_host(tasks) == {"registry1": 2, "cp1": 1}
    assert bench_times.costs(tasks)[0] == "   5.0 s    0 hosts  kubernetes: Join the cluster"


def test_ratios_are_of_what_was_measured_in_one_run():
    measured = bench_figures.with_ratios({"noop_seconds": 2.0, "rerun_seconds": 41.0, "floor_seconds": 100.0})
    assert measured == {
        "floor_seconds": 100.0,
        "rerun_seconds": 41.0,
        "noop_seconds": 2.0,
        "rerun_over_noop_ratio": 20.5,
    }
    assert bench_figures.missed(measured) == ["rerun_seconds is 41, more than 40"]


def test_a_figure_without_a_description_is_refused():
    with pytest.raises(ValueError, match="moon_seconds: measured, but not among FIGURES"):
        bench_figures.with_ratios({"moon_seconds": 1})


def test_every_figure_says_its_unit():
    units = {*bench_report.UNITS, "ratio", "tasks", "containers", "requests"}
    assert [figure.name for figure in bench_figures.FIGURES if not units & set(figure.name.split("_"))] == []


def test_report_shows_value_bound_and_what_is_missed():
    assert bench_report.lines({"rerun_seconds": 41.0, "noop_seconds": 2.0, "rerun_changed_tasks": 0}) == [
        "rerun_seconds              41  (at most 40)  MISSED",
        "noop_seconds                2",
        "rerun_changed_tasks         0  (at most 0)",
    ]


def test_readme_table():
    machine = {"cores": 2, "memory_gigabytes": 25, "kernel": "6.18", "ansible_core": "2.21.5"}
    text = bench_report.readme(
        {
            "date": "2026-11-25",
            "machine": machine,
            "figures": {"install_seconds": 210.4, "install_megabytes_per_worker": 710, "install_over_floor_ratio": 1.3},
            "phases": {"install": {"start": 1.0, "registry": 60.5}},
        }
    )
    assert "2 cores for hosts and controller together, 25 GB, Linux 6.18, ansible-core 2.21.5" in text
    assert "| install everything on them, an empty registry to begin with | 210.4 s | 300 s |" in text
    assert "| downloaded by a worker at install (most of all) | 710 MB |  |" in text
    assert "| install, registry left out ÷ shell script | 1.3 | 1.5 |" in text
    assert "| install | start 1, registry 60.5 |" in text
    assert "make bench" in bench_report.readme(None)


def test_the_controller_is_no_host():
    phase = Phase("re-run", 1.0, 0, [("localhost", 90), ("cp1", 14), ("worker1", 11)])
    assert bench_measure.most_tasks(phase) == 14


def test_what_does_not_run_any_more_has_restarted():
    before = {("cp1", "etcd"): "a", ("cp1", "dns"): "b", ("w1", "proxy"): "c"}
    after = {("cp1", "etcd"): "a", ("cp1", "dns"): "B", ("w2", "proxy"): "d"}
    assert bench_measure.restarted(before, after) == [("cp1", "dns"), ("w1", "proxy")]


def test_bytes_by_host():
    rule = {"comment": "cp1", "expr": [{"match": {}}, {"counter": {"packets": 3, "bytes": 4711}}]}
    assert bench_lab.sent(json.dumps({"nftables": [{"metainfo": {}}, {"rule": rule}]})) == {"cp1": 4711}


def test_containers_are_told_from_units():
    listing = "unit ssh.service 0a\ncontainer coredns-1/coredns 0b\n\n"
    assert bench_lab.containers(listing) == {"coredns-1/coredns": "0b"}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("9:name=systemd:/x\n4:memory:/machine/libpod-0a1b/init.scope\n0::/y", "memory/machine/libpod-0a1b"),
        ("0::/machine.slice/libpod-0a1b.scope/container/init.scope", "machine.slice/libpod-0a1b.scope"),
    ],
)
def test_the_cgroup_of_a_container_is_not_that_of_its_init(text, path):
    assert bench_lab.memory_cgroup(text, "0a1b") == path


def test_a_container_without_memory_cgroup_is_named():
    with pytest.raises(Failed, match="no cgroup of container 0a1b"):
        bench_lab.memory_cgroup("4:memory:/elsewhere", "0a1b")


def test_page_cache_is_not_memory_of_a_host():
    assert bench_lab.anonymous_bytes("cache 900\nrss 1\ntotal_cache 900\ntotal_rss 70") == 70
    assert bench_lab.anonymous_bytes("anon 71\nfile 900") == 71


def test_fifty_hosts_are_workers_but_for_the_control_planes():
    hosts = bench_simulate.hosts(["cp1", "cp2"], ["w1", "w2"], "10.98.80.0/24", 5)
    assert [(host.name, host.model) for host in hosts] == [
        ("cp1", "cp1"),
        ("cp2", "cp2"),
        ("simulated3", "w1"),
        ("simulated4", "w2"),
        ("simulated5", "w1"),
    ]
    assert len({host.address for host in hosts}) == 5
    inventory = bench_simulate.inventory(hosts, ["cp1", "cp2"], ("registry1", "10.98.80.11"))
    assert "[kube_node]\nsimulated3\nsimulated4\nsimulated5\n" in inventory
    assert inventory.startswith("registry1 ansible_host=10.98.80.11\ncp1 ansible_host=10.98.80.101\n")


def test_an_answer_retold_names_its_teller():
    told = {
        "name": "worker1",
        "file": "/x/worker1.pem",
        "other": "worker10",
        "address": "10.0.0.1",
        "near": "10.0.0.12",
    }
    answer = json.dumps({**told, "machine_id": "0" * 32})
    host = bench_simulate.Simulated("simulated7", "10.0.0.107", "worker1")
    retold = json.loads(bench_simulate.retold(answer, host, "10.0.0.1"))
    assert (retold["name"], retold["file"], retold["other"]) == ("simulated7", "/x/simulated7.pem", "worker10")
    assert (retold["address"], retold["near"]) == ("10.0.0.107", "10.0.0.12")
    other = bench_simulate.retold(answer, bench_simulate.Simulated("simulated8", "10.0.0.108", "worker1"), "10.0.0.1")
    assert len({"0" * 32, retold["machine_id"], json.loads(other)["machine_id"]}) == 3
    assert (
        bench_simulate.retold(answer, bench_simulate.Simulated("worker1", "10.0.0.101", "worker1"), "10.0.0.1")
        == answer
    )


def test_simulated_addresses_show_the_key_of_the_registry_host():
    host = bench_simulate.Simulated("simulated7", "10.0.0.107", "worker1")
    text = bench_simulate.known_hosts([host], "10.0.0.1", "10.0.0.1 ssh-ed25519 AA\n10.0.0.12 ssh-ed25519 BB\n")
    assert text.splitlines()[2:] == ["10.0.0.107 ssh-ed25519 AA"]


@pytest.fixture
def fake_ssh(tmp_path):
    """An ssh that shows its arguments and what it was given, instead of connecting."""
    (tmp_path / "bin").mkdir()
    ssh = tmp_path / "bin" / "ssh"
    ssh.write_text('#!/bin/sh\necho "args $*"\necho "input $(cat)"\nexit 3\n')
    ssh.chmod(0o755)

    def call(mode: str) -> subprocess.CompletedProcess:
        environment = {
            "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
            "BENCH_SSH": mode,
            "BENCH_ANSWERS": str(tmp_path),
        }
        command = [str(SCRIPTS / "bench_ssh.sh"), "-o", "BatchMode=yes", "10.0.0.1", "python3 && sleep 0"]
        return subprocess.run(command, env=environment, input="module", capture_output=True, text=True, check=False)

    return call


def test_answers_are_recorded_and_asked_for_in_turn(fake_ssh, tmp_path):
    recorded = fake_ssh("record")
    assert (recorded.returncode, recorded.stdout) == (
        3,
        "args -o BatchMode=yes 10.0.0.1 python3 && sleep 0\ninput module\n",
    )
    fake_ssh("record")
    assert (tmp_path / "10.0.0.1" / "2").read_text() == recorded.stdout
    (tmp_path / "10.0.0.1" / "count").unlink()
    for number in (1, 2):
        wanted = f"args -o BatchMode=yes 10.0.0.1 cat >/dev/null; cat /run/bench/10.0.0.1/{number}\ninput module\n"
        assert fake_ssh("replay").stdout == wanted
    beyond = fake_ssh("replay")
    assert (beyond.returncode, "was asked 3 times, oftener" in beyond.stderr) == (1, True)


def test_floor_downloads_what_our_installation_downloads():
    files = [{"name": "kubeadm", "sha256": "0a"}]
    components: dict[str, dict] = {name: {"ref": f"x/{name}:v1", "files": []} for name in bench_floor.DIRECTORIES}
    components["kubeadm"] = {"ref": "cloudnative.platform/kubeadm:v1.36.4", "files": files}
    text = bench_floor.downloads(components, "https://10.0.0.1:5000", "pull:secret")
    assert 'url = "https://10.0.0.1:5000/v2/cloudnative.platform/kubeadm/blobs/sha256:0a"' in text
    assert 'output = "/usr/local/bin/kubeadm"' in text


def test_floor_steps_are_differences():
    output = "noise\nfloor: 19.8 hosts prepared\nfloor: 30.1 first control plane initialised\n"
    assert bench_floor.steps(output) == {"hosts prepared": 19.8, "first control plane initialised": 10.3}


def test_floor_script_gives_kubeadm_what_it_wants(tmp_path):
    """The whole script against an ssh that keeps what it was told and given."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "files/host").mkdir(parents=True)
    ssh = tmp_path / "bin/ssh"
    ssh.write_text(
        '#!/bin/bash\n[ "$3" != -O ] || exit 0\nmkdir -p "$KEPT/$3"\n'
        'case $4 in\n  *"kubeadm "*) cat >"$KEPT/$3/kubeadm.yaml" ;;\n'
        "  *openssl*) echo 0a1b ;;\n  *) cat >/dev/null ;;\nesac\n"
        'echo "$4" >>"$KEPT/$3/commands"\n'
    )
    ssh.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "KEPT": str(tmp_path),
        "FILES": str(tmp_path / "files"),
        "CONTROL_PLANES": "cp1=10.0.0.1 cp2=10.0.0.2",
        "WORKERS": "w1=10.0.0.3",
        "KUBERNETES_VERSION": "v1.36.4",
        "COREDNS_TAG": "v1.14.7",
        "API_NAME": "api.floor.internal",
    }
    script = str(SCRIPTS / "bench_floor.sh")
    done = subprocess.run(
        [script], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert list(bench_floor.steps(done.stdout)) == [
        "hosts prepared",
        "first control plane initialised",
        "Calico applied",
        "all joined",
        "nodes Ready",
        "Calico and CoreDNS available",
    ]
    given = {
        name: list(yaml.safe_load_all((tmp_path / address / "kubeadm.yaml").read_text()))
        for name, address in (("cp1", "10.0.0.1"), ("cp2", "10.0.0.2"), ("w1", "10.0.0.3"))
    }
    init = {document["kind"]: document for document in given["cp1"]}
    assert init["ClusterConfiguration"]["kubernetesVersion"] == "v1.36.4"
    assert init["InitConfiguration"]["nodeRegistration"]["name"] == "cp1"
    assert init["KubeProxyConfiguration"]["mode"] == "nftables"
    (second,), (worker,) = given["cp2"], given["w1"]
    token = init["InitConfiguration"]["bootstrapTokens"][0]["token"]
    for document in (second, worker):
        discovery = document["discovery"]["bootstrapToken"]
        assert (discovery["token"], discovery["caCertHashes"]) == (token, ["sha256:0a1b"])
    assert second["controlPlane"]["localAPIEndpoint"]["advertiseAddress"] == "10.0.0.2"
    assert "controlPlane" not in worker
    assert token not in done.stdout + (tmp_path / "10.0.0.3/commands").read_text()


@pytest.mark.parametrize("script", ["bench_floor.sh", "bench_floor_host.sh", "bench_ssh.sh"])
def test_shell_scripts_parse(script):
    subprocess.run(["bash", "-n", SCRIPTS / script], check=True)


def test_objects_that_are_applied() -> None:
    """Two hundred, each one its own, and no two sides of the comparison meet."""
    here, there = bench_apply.objects("a"), bench_apply.objects("b")
    names = {(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in [*here, *there]}
    assert (len(here), len(names)) == (200, 400)


def test_the_benchmark_of_the_gateway_has_two_thousand_entities():
    def count(items: list) -> int:
        nested = ("routes", "plugins", "keyauth_credentials", "targets")
        return sum(1 + sum(count(item.get(name, [])) for name in nested) for item in items)

    made = bench_kong.configuration(1)
    assert sum(count(made[kind]) for kind in ("services", "consumers", "upstreams")) == 2000
    assert made == bench_kong.configuration(1)


def test_figures_of_gateway_and_mesh_are_known_and_have_their_bounds():
    took = {"wall_seconds": 1.0, "cpu_seconds": 0.5, "memory_megabytes": 40, "requests": 118, "writes": 11}
    names = ("start", "floor_write", "first", "floor_read", "unchanged", "ten_routes")
    database = {name: dict(took) for name in names}
    database["start"]["wall_seconds"], database["first"]["wall_seconds"] = 0.2, 1.9
    made = bench_kong.told(database, {"push": took, "unchanged": took}, 1)
    assert bench_figures.with_ratios(made)
    assert made["gateway_2000_first_over_floor_ratio"] == 1.7
    assert made["gateway_2000_ten_routes_written_requests"] == 11
    assert bench_figures.missed({name: made[name] for name in made if "over" in name or "written" in name}) == [
        "gateway_2000_first_over_floor_ratio is 1.7, more than 1.5",
        "gateway_2000_ten_routes_written_requests is 11, more than 10",
    ]


def test_parts_of_gateway_and_mesh_need_no_hosts():
    assert {"gateway", "mesh"} <= set(bench_measure.PARTS)
    assert not {"gateway", "mesh"} & set(bench_measure.NEEDS)


def test_a_program_is_measured_by_itself(tmp_path):
    ballast = b"x" * 100_000_000
    told, took = bench_module.process(["-c", "print('{}')"])
    assert told == {}
    assert took["memory_megabytes"] < len(ballast) / 2e6
    with pytest.raises(SystemExit, match="failed"):
        bench_module.process(["-c", "raise SystemExit(3)"])


def test_the_gateway_is_measured_on_doubles(tmp_path):
    made = bench_kong.figures(tmp_path, 1)
    assert made["gateway_2000_write_floor_requests"] == 2000
    assert 2000 < made["gateway_2000_first_requests"] < 2500
    assert made["gateway_2000_ten_routes_written_requests"] == 10
    assert made["gateway_2000_unchanged_beyond_floor_requests"] <= 1
    assert made["gateway_2000_dbless_unchanged_requests"] == 2


def test_the_mesh_is_measured_on_a_double(tmp_path):
    made = bench_kuma.figures(tmp_path, 20)
    assert made["mesh_20_one_changed_written_requests"] == 1
    assert made["mesh_20_unchanged_requests"] <= 4
