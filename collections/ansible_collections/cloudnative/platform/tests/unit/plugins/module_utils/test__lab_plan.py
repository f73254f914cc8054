# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""(what is there, what is wanted) -> what is done, for test hosts."""

from __future__ import annotations

import dataclasses
import json

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._lab_image import Recipe
from ansible_collections.cloudnative.platform.plugins.module_utils._lab_plan import (
    INOTIFY_INSTANCES,
    VOLUMES,
    Host,
    Lab,
    LabError,
    Seen,
    SeenHost,
    address_hosts,
    check_lab,
    describe,
    foresee,
    foresee_known_hosts,
    plan_absent,
    plan_present,
    render_files,
    render_known_hosts,
)

LAB = Lab(
    name="lab",
    subnet="10.99.0.0/24",
    image="localhost/cloudnative-lab:abc",
    hosts=(Host("cp1", ("kube_control_plane",), "10.99.0.11"), Host("w1", ("kube_node", "gpu"), "10.99.0.12")),
    inventory_path="/lab/inventory",
    key_path="/lab/ssh/key",
    group_vars={"a": True},
)
FILES = render_files(LAB, json.dumps)
KEY = "ssh-ed25519 AAAA lab"


def up(address: str, **changes) -> SeenHost:
    host = SeenHost(address, True, systemd="running", authorized=KEY, host_key="ssh-ed25519 BBBB host", ssh=True)
    return dataclasses.replace(host, **changes)


def volumes(*hosts: str) -> frozenset[str]:
    return frozenset(LAB.volume(host, volume) for host in hosts for volume in VOLUMES)


CONVERGED = Seen(
    image=True,
    archive=True,
    network="10.99.0.0/24",
    volumes=volumes("cp1", "w1"),
    hosts={"cp1": up("10.99.0.11"), "w1": up("10.99.0.12")},
    public_key=KEY,
    inotify=INOTIFY_INSTANCES,
    inotify_before=128,
    files=dict(FILES),
)
NOTHING = Seen(inotify=128)


def seen(base: Seen = CONVERGED, **changes) -> Seen:
    return dataclasses.replace(base, **changes)


def kinds(actions) -> list[tuple[str, str]]:
    return [(action.kind, action.target) for action in actions]


WRITE = [("write_file", path) for path in FILES]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param(CONVERGED, [], id="converged"),
        pytest.param(
            NOTHING,
            [
                ("create_key", "/lab/ssh/key"),
                ("build_image", LAB.image),
                ("import_image", LAB.image),
                ("create_network", "lab"),
                ("raise_inotify", str(INOTIFY_INSTANCES)),
                ("create_host", "cp1"),
                ("create_host", "w1"),
                *WRITE,
            ],
            id="nothing there",
        ),
        pytest.param(
            seen(hosts={"cp1": up("10.99.0.11")}, volumes=volumes("cp1"), image=False, files=dict(FILES)),
            [("import_image", LAB.image), ("create_host", "w1")],
            id="a host is missing and the image is only in the cache",
        ),
        pytest.param(
            seen(hosts={"cp1": up("10.99.0.11", running=False, authorized=""), "w1": up("10.99.0.12")}),
            [("start_host", "cp1")],
            id="a host stopped",
        ),
        pytest.param(
            seen(hosts={"cp1": up("10.99.0.11", authorized="another key"), "w1": up("10.99.0.12")}),
            [("authorize", "cp1")],
            id="a host accepts another key",
        ),
        pytest.param(
            seen(public_key=""),
            [("create_key", "/lab/ssh/key"), ("authorize", "cp1"), ("authorize", "w1")],
            id="the key was lost",
        ),
        pytest.param(
            seen(
                hosts={**CONVERGED.hosts, "old": up("10.99.0.13")},
                volumes=volumes("cp1", "w1", "old"),
            ),
            [("remove_host", "old")],
            id="a host is not wanted any more",
        ),
        pytest.param(
            seen(hosts={"cp1": up("10.99.0.11"), "w1": up("10.99.0.12", running=False, unfinished=True)}),
            [("remove_host", "w1"), ("create_host", "w1")],
            id="a run was killed while it made a host",
        ),
        pytest.param(
            seen(hosts={"cp1": up("10.99.0.11")}, volumes=volumes("cp1") | {"lab-w1-etcd"}),
            [("remove_volume", "lab-w1-etcd"), ("create_host", "w1")],
            id="a volume of a host that was removed by hand",
        ),
        pytest.param(
            seen(files={**FILES, "/lab/inventory/hosts.ini": "old"}),
            [("write_file", "/lab/inventory/hosts.ini")],
            id="the inventory was edited",
        ),
        pytest.param(
            seen(inotify=128),
            [("raise_inotify", str(INOTIFY_INSTANCES))],
            id="the machine was restarted",
        ),
    ],
)
def test_plan_present(state, expected):
    assert kinds(plan_present(LAB, state, FILES)) == expected


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (seen(network="10.50.0.0/24"), "lab lab runs on subnet 10.50.0.0/24, not 10.99.0.0/24"),
        (seen(hosts={"cp1": up("10.99.0.20")}), "host cp1 has address 10.99.0.20, not 10.99.0.11"),
    ],
)
def test_plan_present_refuses_what_only_a_new_lab_can_do(state, message):
    with pytest.raises(LabError, match=message):
        plan_present(LAB, state, FILES)


@pytest.mark.parametrize(
    ("state", "remove_image", "expected"),
    [
        pytest.param(NOTHING, False, [], id="nothing there"),
        pytest.param(
            CONVERGED,
            False,
            [
                ("remove_host", "cp1"),
                ("remove_host", "w1"),
                ("remove_network", "lab"),
                ("restore_inotify", "128"),
                *[("remove_file", path) for path in FILES],
                ("remove_key", "/lab/ssh/key"),
            ],
            id="all of it, the image stays",
        ),
        pytest.param(
            seen(other_labs=True, files={}),
            False,
            [
                ("remove_host", "cp1"),
                ("remove_host", "w1"),
                ("remove_network", "lab"),
                ("remove_key", "/lab/ssh/key"),
            ],
            id="another lab still needs the limit",
        ),
        pytest.param(
            Seen(image=True, archive=True, volumes=volumes("cp1"), inotify=128),
            True,
            [
                *[("remove_volume", volume) for volume in sorted(volumes("cp1"))],
                ("remove_image", LAB.image),
                ("remove_archive", LAB.image),
            ],
            id="volumes whose hosts are gone, and the image",
        ),
    ],
)
def test_plan_absent(state, remove_image, expected):
    assert kinds(plan_absent(LAB, state, FILES, remove_image)) == expected


@pytest.mark.parametrize("state", [NOTHING, CONVERGED, seen(hosts={"cp1": up("10.99.0.11", running=False)})])
def test_what_is_foreseen_is_what_a_converged_lab_looks_like(state):
    before = describe(LAB, state, FILES)
    after = foresee(LAB, before, plan_present(LAB, state, FILES), FILES)
    assert after == describe(LAB, CONVERGED, FILES)
    assert foresee(LAB, describe(LAB, CONVERGED, FILES), [], FILES) == describe(LAB, CONVERGED, FILES)


def test_what_is_foreseen_of_a_removal_is_nothing():
    actions = plan_absent(LAB, CONVERGED, FILES, remove_image=True)
    after = foresee(LAB, describe(LAB, CONVERGED, FILES), actions, FILES)
    assert after == {"network": None, "image": None, "inotify_max_user_instances": 128, "hosts": {}, "files": {}}


@pytest.mark.parametrize(
    ("specs", "known", "expected"),
    [
        ([{"name": "a"}, {"name": "b"}], {}, ["10.99.0.11", "10.99.0.12"]),
        ([{"name": "a"}, {"name": "b", "address": "10.99.0.11"}], {}, ["10.99.0.12", "10.99.0.11"]),
        # A host that exists keeps its address, whatever was taken out of the list before it.
        ([{"name": "b"}, {"name": "c"}], {"b": "10.99.0.12"}, ["10.99.0.12", "10.99.0.11"]),
    ],
)
def test_address_hosts(specs, known, expected):
    assert [host.address for host in address_hosts(specs, "10.99.0.0/24", known)] == expected


def test_address_hosts_says_when_the_subnet_is_full():
    specs = [{"name": f"h{number}"} for number in range(20)]
    assert len(address_hosts(specs, "10.99.0.0/27", {})) == 20
    with pytest.raises(LabError, match=r"subnet 10\.99\.0\.0/27 has no free address for host h20"):
        address_hosts([*specs, {"name": "h20"}], "10.99.0.0/27", {})


@pytest.mark.parametrize(
    ("name", "subnet", "specs", "message"),
    [
        ("Lab", "10.99.0.0/24", [], "lab name 'Lab' is not valid"),
        ("lab", "10.99.0.1/24", [], "subnet '10.99.0.1/24' is not valid"),
        ("lab", "10.99.0.0/30", [], "subnet 10.99.0.0/30 does not fit"),
        ("lab", "fd00::/64", [], "subnet fd00::/64 does not fit"),
        ("lab", "10.99.0.0/24", [{"name": "cp_1"}], "host name 'cp_1' is not valid"),
        ("lab", "10.99.0.0/24", [{"name": "a"}, {"name": "a"}], "host name 'a' appears twice"),
        ("lab", "10.99.0.0/24", [{"name": "a", "groups": ["my-group"]}], "group 'my-group' of host a is not valid"),
        ("lab", "10.99.0.0/24", [{"name": "a", "address": "x"}], "address 'x' of host a is not valid"),
        ("lab", "10.99.0.0/24", [{"name": "a", "address": "10.1.0.9"}], "address 10.1.0.9 of host a is outside"),
        (
            "lab",
            "10.99.0.0/24",
            [{"name": "a", "address": "10.99.0.9"}, {"name": "b", "address": "10.99.0.9"}],
            "address 10.99.0.9 of host b is taken",
        ),
    ],
)
def test_check_lab_refuses(name, subnet, specs, message):
    with pytest.raises(LabError, match=message.replace("(", r"\(")):
        check_lab(name, subnet, specs)


def test_inventory_has_hosts_groups_and_connection():
    inventory = FILES["/lab/inventory/hosts.ini"]
    assert "cp1 ansible_host=10.99.0.11\nw1  ansible_host=10.99.0.12\n" in inventory
    assert "[kube_control_plane]\ncp1\n" in inventory
    assert "[gpu]\nw1\n" in inventory
    variables = json.loads(FILES["/lab/inventory/group_vars/all/lab.yml"].removeprefix("---\n"))
    assert variables["a"] is True
    assert variables["ansible_user"] == "root"
    assert "StrictHostKeyChecking=yes" in variables["ansible_ssh_common_args"]


def test_settings_win_over_the_connection_of_the_lab():
    lab = dataclasses.replace(LAB, group_vars={"ansible_user": "admin"})
    assert '"ansible_user": "admin"' in render_files(lab, json.dumps)["/lab/inventory/group_vars/all/lab.yml"]


def test_known_hosts_hold_keys_without_their_comments():
    assert render_known_hosts([("10.0.0.2", "ssh-ed25519 B x"), ("10.0.0.1", "ssh-ed25519 A")]) == (
        "10.0.0.1 ssh-ed25519 A\n10.0.0.2 ssh-ed25519 B\n"
    )


def test_known_hosts_are_foreseen_only_when_every_key_is_known():
    assert list(foresee_known_hosts(LAB, CONVERGED)) == ["/lab/ssh/known_hosts"]
    assert foresee_known_hosts(LAB, NOTHING) == {}
    assert foresee_known_hosts(LAB, seen(hosts={**CONVERGED.hosts, "w1": up("10.99.0.12", host_key="")})) == {}


RECIPE = Recipe(suite="bookworm", packages=("curl", "socat"))


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (Recipe(suite="bookworm", packages=("socat", "curl", "curl")), True),
        (Recipe(suite="trixie", packages=("curl", "socat")), False),
        (Recipe(suite="bookworm", packages=("curl",)), False),
        (Recipe(suite="bookworm", packages=("curl", "socat"), setup="true"), False),
    ],
)
def test_an_image_is_known_by_what_is_in_it(other, same):
    assert (other.image == RECIPE.image) is same


def test_the_mirror_does_not_make_another_image():
    first, second = (RECIPE.command(mirror, "/x.tar") for mirror in ("http://a", "http://b"))
    assert first[:-1] == second[:-1]
    assert "--include=curl,dbus,openssh-server,python3,socat,systemd,systemd-sysv" in first
