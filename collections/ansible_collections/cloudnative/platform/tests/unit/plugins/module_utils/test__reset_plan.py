# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._reset import trees
from ansible_collections.cloudnative.platform.plugins.module_utils._reset.firewall import Change
from ansible_collections.cloudnative.platform.plugins.module_utils._reset.observed import (
    Link,
    Process,
    Route,
    container_processes,
    leads_into,
    parse_links,
    parse_mounts,
    parse_process,
    parse_routes,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._reset.plan import (
    SHARED_DIRECTORIES,
    Asked,
    Firewall,
    Observed,
    ResetError,
    Tree,
    check,
    diff_of,
    plan,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._systemd import UnitState

SOCKET = "/run/containerd/containerd.sock"
UNIT_FILE = "/etc/systemd/system/kubelet.service"
RUNNING = UnitState("kubelet.service", "loaded", "active", "running", "enabled", fragment=UNIT_FILE)


def steps(asked, observed):
    return [(action.kind, action.target) for action in plan(Asked(**asked), Observed(**observed))]


@pytest.mark.parametrize(
    ("asked", "observed", "expected"),
    [
        pytest.param({"units": ("kubelet.service",)}, {}, [], id="unit that never was"),
        pytest.param(
            {"units": ("kubelet.service",)},
            {"units": {"kubelet.service": RUNNING}},
            [("stop", "kubelet.service"), ("disable", "kubelet.service"), ("file", UNIT_FILE), ("daemon-reload", "")],
            id="unit",
        ),
        pytest.param(
            {"units": ("containerd.service",)},
            {
                "units": {
                    "containerd.service": UnitState(
                        "containerd.service", "loaded", fragment="/lib/systemd/system/containerd.service"
                    )
                }
            },
            [],
            id="unit of a package stays",
        ),
        pytest.param(
            {"units": ("a@x.service",)},
            {
                "units": {
                    "a@x.service": UnitState(
                        "a@x.service",
                        "loaded",
                        fragment="/etc/systemd/system/a@.service",
                        drop_ins=("/etc/systemd/system/a@x.service.d/b.conf",),
                    )
                },
                "trees": {"/etc/systemd/system/a@x.service.d": Tree("directory", ("b.conf",))},
            },
            [
                ("file", "/etc/systemd/system/a@.service"),
                ("file", "/etc/systemd/system/a@x.service.d/b.conf"),
                ("directory", "/etc/systemd/system/a@x.service.d"),
                ("daemon-reload", ""),
            ],
            id="instance with a drop-in",
        ),
        pytest.param(
            {"units": ("a.service",)},
            {"units": {"a.service": UnitState("a.service", active="failed", need_reload=True)}},
            [("daemon-reload", ""), ("reset-failed", "a.service")],
            id="killed after the file was removed",
        ),
        pytest.param(
            {"units": ("a.timer",)},
            {"stamps": ("/var/lib/systemd/timers/stamp-a.timer",)},
            [("file", "/var/lib/systemd/timers/stamp-a.timer")],
            id="what systemd notes of a timer",
        ),
        pytest.param(
            {"containers": SOCKET, "slices": ("kubepods.slice",)},
            {"processes": (Process(7, 1, "etcd"),), "cgroups": ("/sys/fs/cgroup/kubepods.slice",)},
            [("processes", SOCKET), ("slice", "kubepods.slice")],
            id="containers",
        ),
        pytest.param(
            {"paths": ("/var/lib/kubelet", "/run/k")},
            {
                "mounts": ("/", "/var/lib/kubelet", "/var/lib/kubelet/a", "/var/lib/kubelet/a/b", "/var/lib/kubelet-x"),
                "trees": {"/var/lib/kubelet": Tree("volume", ("a",)), "/run/k": Tree("directory")},
            },
            [
                ("unmount", "/var/lib/kubelet/a/b"),
                ("unmount", "/var/lib/kubelet/a"),
                ("volume", "/var/lib/kubelet"),
                ("tree", "/run/k"),
            ],
            id="what is mounted below goes first, what is mounted there stays",
        ),
        pytest.param(
            {"paths": ("/var/lib/kubelet",)},
            {"mounts": ("/data/k/m",), "trees": {"/var/lib/kubelet": Tree("volume", ("m",), "/data/k")}},
            [("unmount", "/data/k/m"), ("volume", "/var/lib/kubelet")],
            id="a link is followed to what is mounted",
        ),
        pytest.param(
            {"paths": ("/var/lib/kubelet",)},
            {"mounts": ("/var/lib/kubelet",), "trees": {"/var/lib/kubelet": Tree("volume")}},
            [],
            id="empty volume",
        ),
        pytest.param(
            {"interfaces": ("cni0", "cali???????????")},
            {
                "links": (
                    Link("eth0"),
                    Link("cni0"),
                    Link("veth1", "cni0"),
                    Link("veth2", "docker0"),
                    Link("cali01234567890"),
                )
            },
            [("interface", "cni0"), ("interface", "veth1"), ("interface", "cali01234567890")],
            id="interfaces, and what is attached to them",
        ),
        pytest.param(
            {"interfaces": ("cni0",), "networks": ("10.244.0.0/16",)},
            {
                "links": (Link("cni0"),),
                "routes": (
                    Route("default", device="eth0"),
                    Route("10.244.1.0/24", device="cni0"),
                    Route("10.244.2.0/24", device="eth0"),
                    Route("10.244.3.0/26", "blackhole"),
                    Route("10.0.0.0/8", device="eth0"),
                ),
            },
            [("interface", "cni0"), ("route", "10.244.2.0/24"), ("route", "10.244.3.0/26")],
            id="routes into the pod network only",
        ),
        pytest.param(
            {"chains": ("KUBE-",)},
            {
                "nft_tables": ("ip kube-proxy",),
                "firewalls": (
                    Firewall(
                        "iptables-nft-restore",
                        "ip",
                        (Change("nat", ("KUBE-X",), (), True), Change("raw", (), (), False)),
                        ("ip nat",),
                    ),
                ),
                "sets": ("KUBE-S",),
            },
            [("nft", "ip kube-proxy"), ("rules", "nat (iptables-nft)"), ("nft", "ip nat"), ("set", "KUBE-S")],
            id="rules before the sets that they use",
        ),
        pytest.param(
            {"paths": ("/opt/cni/bin/bridge",), "empty_directories": ("/opt/cni/bin", "/opt/cni")},
            {
                "trees": {
                    "/opt/cni/bin/bridge": Tree("file"),
                    "/opt/cni/bin": Tree("directory", ("bridge",)),
                    "/opt/cni": Tree("directory", ("bin",)),
                }
            },
            [("file", "/opt/cni/bin/bridge"), ("directory", "/opt/cni/bin"), ("directory", "/opt/cni")],
            id="directories that are empty then",
        ),
        pytest.param(
            {"paths": ("/opt/cni/bin/bridge",), "empty_directories": ("/opt/cni/bin", "/opt/cni")},
            {
                "trees": {
                    "/opt/cni/bin/bridge": Tree("file"),
                    "/opt/cni/bin": Tree("directory", ("bridge", "somebody-elses")),
                    "/opt/cni": Tree("directory", ("bin",)),
                }
            },
            [("file", "/opt/cni/bin/bridge")],
            id="directories with something of others stay",
        ),
        pytest.param(
            {"paths": ("/srv/r/docker",), "empty_directories": ("/srv/r",)},
            {"trees": {"/srv/r/docker": Tree("directory"), "/srv/r": Tree("volume", ("docker",), plain=False)}},
            [("tree", "/srv/r/docker"), ("plain", "/srv/r")],
            id="an empty volume gets its owner back",
        ),
        pytest.param(
            {"namespaces": ("cni-*",), "empty_directories": ("/run/netns",)},
            {"namespaces": ("/run/netns/cni-1",), "trees": {"/run/netns": Tree("directory", ("cni-1",))}},
            [("namespace", "/run/netns/cni-1"), ("directory", "/run/netns")],
            id="namespaces and their directory",
        ),
        pytest.param(
            {"users": ("registry",)},
            {"users": ("registry",), "groups": ("registry",)},
            [("user", "registry"), ("group", "registry")],
            id="users",
        ),
    ],
)
def test_plan(asked, observed, expected):
    assert steps(asked, observed) == expected


@pytest.mark.parametrize("path", [*sorted(SHARED_DIRECTORIES), "relative", "/a/../etc", "/a/", "//etc"])
def test_paths_that_can_not_be_meant(path):
    with pytest.raises(ResetError):
        check(Asked(paths=(path,)))


def test_diff_lists_what_goes():
    actions = plan(Asked(paths=("/x/y",)), Observed(trees={"/x/y": Tree("directory")}))
    assert diff_of(actions)["before"] == "remove /x/y and all below it\n"
    assert diff_of([]) == {"before_header": "to do", "after_header": "left to do", "before": "", "after": ""}


def test_mounts_with_spaces():
    text = "22 1 0:20 / / rw - overlay overlay rw\n23 22 0:21 / /a\\040b rw shared:1 - tmpfs tmpfs rw\n"
    assert parse_mounts(text) == ["/", "/a b"]


def test_processes_of_containers():
    shim = f"/usr/local/bin/containerd-shim-runc-v2 -namespace k8s.io -id a -address {SOCKET}"
    processes = [
        parse_process(1, "1 (systemd) S 0 1", "/sbin/init"),
        parse_process(10, "10 (containerd-shim) S 1 1", shim.replace(" ", "\0")),
        parse_process(11, "11 (sh (x) y) S 10 1", "sh\0"),
        parse_process(12, "12 (sleep) S 11 1", "sleep\0100\0"),
        parse_process(20, "20 (containerd-shim) S 1 1", "containerd-shim -address /run/other.sock"),
        parse_process(21, "21 (nginx) S 20 1", "nginx"),
        parse_process(25, "25 (containerd-shim) S 1 1", shim, inner=True),
        parse_process(26, "26 (etcd) S 25 1", "etcd", inner=True),
        parse_process(30, "30 (sshd) S 1 1", "sshd"),
    ]
    shims, rest = container_processes(processes, SOCKET)
    assert [process.pid for process in shims] == [10]
    assert [(process.pid, process.name) for process in rest] == [(11, "sh (x) y"), (12, "sleep")]


def test_links_and_routes_as_ip_prints_them():
    assert parse_links('[{"ifname":"eth0"},{"ifname":"v","master":"cni0"}]') == [Link("eth0"), Link("v", "cni0")]
    text = '[{"dst":"default","dev":"eth0"},{"type":"blackhole","dst":"10.244.3.0/26"},{"dst":"10.244.9.9","dev":"x"}]'
    routes = parse_routes(text)
    assert [leads_into(route, ["10.244.0.0/16", "fd00::/64"]) for route in routes] == [False, True, True]
    assert parse_routes("") == []


def test_tree_is_removed_and_links_out_of_it_are_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    tree = tmp_path / "tree"
    (tree / "a/b").mkdir(parents=True)
    (tree / "a/b/file").write_text("x")
    (tree / "a/link").symlink_to(outside)
    trees.remove_tree(str(tree))
    assert not tree.exists()
    assert (outside / "kept").exists()


def test_nothing_is_deleted_where_something_is_mounted_below(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setattr(trees, "mounts", lambda: ["/", f"{tmp_path}/data"])
    with pytest.raises(ResetError, match="is mounted below"):
        trees.remove_tree(str(tmp_path))
    assert (tmp_path / "file").exists()


def test_other_file_system_is_not_entered(tmp_path):
    with pytest.raises(ResetError, match="is on another file system"):
        (tmp_path / "sub").mkdir()
        trees._empty_within(str(tmp_path), os.lstat(tmp_path).st_dev + 1, ())
    assert (tmp_path / "sub").exists()


def test_volume_is_emptied_and_stays(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    (real / "lost+found").mkdir(parents=True)
    (real / "data").mkdir()
    link.symlink_to(real)
    assert trees.look(str(link), []) == Tree("volume", ("data",), str(real))
    assert trees.look(str(real), [str(real)]) == Tree("volume", ("data",))
    assert trees.look(str(real), []).kind == "directory"
    trees.empty_volume(str(link)) if os.geteuid() == 0 else trees._empty(str(real), trees.OF_THE_FILE_SYSTEM)
    assert [path.name for path in real.iterdir()] == ["lost+found"]
    assert trees.look(str(link), []).entries == ()


def test_link_to_a_directory_of_the_host_is_refused(tmp_path):
    (tmp_path / "link").symlink_to("/usr/lib")
    with pytest.raises(ResetError, match="belongs to the whole host"):
        trees.empty_volume(str(tmp_path / "link"))


@pytest.mark.parametrize("kind", ["absent", "file"])
def test_look(tmp_path, kind):
    path = tmp_path / "x"
    if kind == "file":
        path.write_text("")
    assert trees.look(str(path), []) == Tree(kind)
