# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._host_baseline import (
    BASELINE_FILE,
    Baseline,
    BaselineError,
    parse,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._host_fitness import Requirements, judge
from ansible_collections.cloudnative.platform.plugins.module_utils._host_prepare import (
    FSTAB_FILE,
    FSTAB_MARK,
    HEADER,
    HOSTNAME_FILE,
    HOSTS_FILE,
    MODULES_FILE,
    RSHARED_CONTENT,
    RSHARED_FILE,
    SYSCTL_FILE,
    HostState,
    ModuleState,
    Wishes,
    overridden_at_boot,
    plan,
    sysctl_path,
    with_block,
    without_swap,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._host_prepare_io import packages_interrupted

LOADED = ModuleState(present=True, loadable=True)
BUILT_IN = ModuleState(present=True)
LOADABLE = ModuleState(loadable=True)
NONE = ModuleState()
NOTE = f"note in {BASELINE_FILE} what is there before it changes"
FORGET = f"forget in {BASELINE_FILE} what was given back"


def texts(wishes, state):
    return [step.text for step in plan(wishes, state).steps]


def applied(wishes, state):
    """Steps, problems and warnings; and what files would hold."""
    result = plan(wishes, state)
    files = {step.target: step.value for step in result.steps if step.kind == "file"}
    return [step.text for step in result.steps], result.problems, files


@pytest.mark.parametrize(
    ("required", "optional", "states", "files", "steps", "problems", "content"),
    [
        pytest.param(
            ["overlay"],
            [],
            {"overlay": LOADABLE},
            {},
            ["load kernel module overlay (for the file system of containers)", f"create {MODULES_FILE}"],
            0,
            HEADER + "overlay\n",
            id="load and keep",
        ),
        pytest.param(
            ["overlay"], [], {"overlay": LOADED}, {MODULES_FILE: HEADER + "overlay\n"}, [], 0, None, id="done"
        ),
        pytest.param(["overlay"], [], {"overlay": BUILT_IN}, {}, [], 0, None, id="built in, nothing to load at boot"),
        pytest.param(
            ["overlay"],
            [],
            {"overlay": BUILT_IN},
            {MODULES_FILE: HEADER + "overlay\n"},
            [f"remove {MODULES_FILE}"],
            0,
            None,
            id="built in since the last kernel",
        ),
        pytest.param(
            ["overlay"],
            [],
            {"overlay": LOADED},
            {MODULES_FILE: HEADER + "overlay\nip_vs\n"},
            [f"change {MODULES_FILE}"],
            0,
            HEADER + "overlay\n",
            id="one is taken out",
        ),
        pytest.param([], [], {}, {MODULES_FILE: HEADER}, [f"remove {MODULES_FILE}"], 0, None, id="all are taken out"),
        pytest.param(["overlay"], [], {"overlay": NONE}, {}, [], 1, None, id="missing"),
        pytest.param([], ["ip_vs"], {"ip_vs": NONE}, {}, [], 0, None, id="optional and missing"),
        pytest.param(
            [],
            ["ip_vs"],
            {"ip_vs": LOADABLE},
            {},
            ["load kernel module ip_vs (for kube-proxy in ipvs mode)", f"create {MODULES_FILE}"],
            0,
            HEADER + "ip_vs\n",
            id="optional",
        ),
    ],
)
def test_modules(required, optional, states, files, steps, problems, content):
    wishes = Wishes(modules=tuple(required), optional_modules=tuple(optional))
    done, found, written = applied(wishes, HostState(modules=states, files=files))
    assert done == steps
    assert len(found) == problems
    assert written.get(MODULES_FILE) == content


def test_missing_module_says_what_it_is_for():
    problems = plan(Wishes(modules=("br_netfilter", "odd")), HostState()).problems
    assert problems[0].startswith("kernel module br_netfilter (for firewall rules for bridged pod traffic) is neither")
    assert problems[1].startswith("kernel module odd is neither")


KEPT = HEADER + "net.ipv4.ip_forward = 1\n"


@pytest.mark.parametrize(
    ("sysctls", "values", "files", "steps", "problems"),
    [
        pytest.param(
            {"net.ipv4.ip_forward": "1"},
            {"net.ipv4.ip_forward": "0"},
            {},
            [NOTE, "set net.ipv4.ip_forward = 1 (it is 0)", f"create {SYSCTL_FILE}"],
            [],
            id="set and keep",
        ),
        pytest.param(
            {"net.ipv4.ip_forward": "1"}, {"net.ipv4.ip_forward": "1"}, {SYSCTL_FILE: KEPT}, [], [], id="done"
        ),
        pytest.param(
            {"net.ipv4.ip_forward": "1"},
            {"net.ipv4.ip_forward": "1"},
            {SYSCTL_FILE: HEADER},
            [NOTE, f"change {SYSCTL_FILE}"],
            [],
            id="set by hand",
        ),
        pytest.param(
            {"net.ipv4.tcp_mem": "1 2 3"},
            {"net.ipv4.tcp_mem": "1\t2\t3"},
            {SYSCTL_FILE: HEADER + "net.ipv4.tcp_mem = 1 2 3\n"},
            [],
            [],
            id="white space is no difference",
        ),
        pytest.param(
            {"net.nope": "1"},
            {"net.nope": None},
            {},
            [f"create {SYSCTL_FILE}"],
            ["sysctl net.nope does not exist in this kernel; leave it out of the sysctls"],
            id="unknown key",
        ),
        pytest.param(
            {"net.bridge.bridge-nf-call-iptables": "1"},
            {"net.bridge.bridge-nf-call-iptables": None},
            {},
            [f"create {SYSCTL_FILE}"],
            [],
            id="no bridge filter in this kernel",
        ),
    ],
)
def test_sysctls(sysctls, values, files, steps, problems):
    done, found, written = applied(Wishes(sysctls=sysctls), HostState(sysctls=values, files=files))
    assert (done, found) == (steps, problems)
    if any(key.startswith("net.bridge") for key in sysctls):
        assert "\n-net.bridge.bridge-nf-call-iptables = 1\n" in written[SYSCTL_FILE]


FORWARD, PANIC = "net.ipv4.ip_forward", "kernel.panic"


@pytest.mark.parametrize(
    ("sysctls", "values", "before", "steps", "kept"),
    [
        pytest.param(
            {FORWARD: "1"}, {FORWARD: "0"}, {}, [NOTE, f"set {FORWARD} = 1 (it is 0)"], {FORWARD: "0"}, id="1st"
        ),
        pytest.param({FORWARD: "1"}, {FORWARD: "1"}, {}, [NOTE], {FORWARD: "1"}, id="it was so before"),
        pytest.param(
            {FORWARD: "1"},
            {FORWARD: "5"},
            {FORWARD: "0"},
            [f"set {FORWARD} = 1 (it is 5)"],
            None,
            id="drift is not noted",
        ),
        pytest.param(
            {},
            {FORWARD: "1"},
            {FORWARD: "0"},
            [f"set {FORWARD} = 0, as it was before (it is 1)", FORGET],
            {},
            id="taken out",
        ),
        pytest.param({}, {FORWARD: "0"}, {FORWARD: "0"}, [FORGET], {}, id="killed before it was forgotten"),
        pytest.param({}, {FORWARD: None}, {FORWARD: "0"}, [FORGET], {}, id="the kernel has it no more"),
        pytest.param(None, {FORWARD: "1"}, {FORWARD: "0"}, [], None, id="nothing said about sysctls"),
        pytest.param(
            {PANIC: "10"},
            {PANIC: "0", FORWARD: "1"},
            {FORWARD: "0"},
            [NOTE, f"set {PANIC} = 10 (it is 0)", f"set {FORWARD} = 0, as it was before (it is 1)", FORGET],
            {PANIC: "0"},
            id="one comes, one goes",
        ),
    ],
)
def test_what_sysctls_were_before_is_noted_and_given_back(sysctls, values, before, steps, kept):
    state = HostState(sysctls=values, baseline=Baseline(sysctls=before))
    planned = plan(Wishes(sysctls=sysctls), state).steps
    assert [step.text for step in planned if step.target != SYSCTL_FILE] == steps
    notes = [parse(step.value) for step in planned if step.kind == "baseline"]
    assert (notes[-1].sysctls if notes else None) == kept
    # With the first change to a host, and never again.
    assert (notes[-1].others if notes else {}) == (values if notes and not before else {})
    if NOTE in steps:
        # Before anything changes, and with what an earlier run noted still in it.
        assert planned[0].kind == "baseline"
        assert {**before, **notes[0].sysctls} == notes[0].sysctls


@pytest.mark.parametrize(
    ("sysctls", "file", "steps"),
    [
        ({}, KEPT, [f"remove {SYSCTL_FILE}"]),
        ({}, None, []),
        (None, KEPT, []),
        ({PANIC: "10"}, KEPT, [NOTE, f"change {SYSCTL_FILE}"]),
    ],
)
def test_sysctl_that_is_taken_out_leaves_the_file(sysctls, file, steps):
    state = HostState(sysctls={FORWARD: "1", PANIC: "10"}, files={SYSCTL_FILE: file})
    result = plan(Wishes(sysctls=sysctls), state)
    assert [step.text for step in result.steps] == steps
    # Nobody knows what it was: an older release set it.
    assert len(result.warnings) == (1 if steps else 0)
    assert all("what it was before is not known" in warning for warning in result.warnings)


def test_drift_of_what_was_right_at_first_is_not_noted():
    state = HostState(sysctls={FORWARD: "0"}, files={SYSCTL_FILE: HEADER + f"{FORWARD} = 1\n"})
    assert [step.text for step in plan(Wishes(sysctls={FORWARD: "1"}), state).steps] == [f"set {FORWARD} = 1 (it is 0)"]


def test_everything_that_changes_is_noted_once():
    state = HostState(
        hostname="old",
        swaps=("/dev/sda2",),
        root_shared=False,
        sysctls={FORWARD: "0"},
        files={HOSTNAME_FILE: "old\n"},
    )
    wishes = Wishes(hostname="new", swap_enabled=False, mounts_shared=True, sysctls={FORWARD: "1"})
    first = plan(wishes, state).steps[0]
    noted = Baseline({FORWARD: "0"}, {FORWARD: "0"}, "old", "old\n", ("/dev/sda2",), False)
    assert (first.kind, parse(first.value)) == ("baseline", noted)
    again = HostState(**{**state.__dict__, "baseline": noted})
    assert "baseline" not in [step.kind for step in plan(wishes, again).steps]


@pytest.mark.parametrize("text", ["{", "[]", '{"swaps": 1}', '{"swaps": [], "unknown": 1}', "{}"])
def test_damaged_record_is_refused(text):
    with pytest.raises(BaselineError, match=r"host-baseline\.json is damaged"):
        parse(text)


def test_bridge_sysctl_follows_its_module():
    key = "net.bridge.bridge-nf-call-iptables"
    wishes = Wishes(optional_modules=("br_netfilter",), sysctls={key: "1"})
    steps = plan(wishes, HostState(modules={"br_netfilter": LOADABLE}, sysctls={key: None})).steps
    done = [(step.kind, step.target) for step in steps if step.kind != "file"]
    assert done == [("module", "br_netfilter"), ("sysctl", key)]


@pytest.mark.parametrize(
    ("path", "text", "count"),
    [
        ("/etc/sysctl.d/99-sysctl.conf", "net.ipv4.ip_forward=0\n", 1),
        ("/etc/sysctl.d/99-sysctl.conf", "net.ipv4.ip_forward = 1\n", 0),
        ("/etc/sysctl.d/99-sysctl.conf", "#net.ipv4.ip_forward=0\n; net.ipv4.ip_forward=0\n", 0),
        ("/etc/sysctl.d/10-network.conf", "net.ipv4.ip_forward=0\n", 0),
        ("/etc/sysctl.d/99-x.conf", "-net.ipv4.ip_forward=0\n", 1),
        ("/etc/sysctl.d/99-x.conf", "vm.swappiness=0\nbroken\n", 0),
    ],
)
def test_sysctls_that_others_set_at_boot(path, text, count):
    assert len(overridden_at_boot({"net.ipv4.ip_forward": "1"}, {path: text})) == count


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("net.ipv4.ip_forward", "/proc/sys/net/ipv4/ip_forward"),
        ("net.ipv4.conf.eth0/100.forwarding", "/proc/sys/net/ipv4/conf/eth0.100/forwarding"),
    ],
)
def test_sysctl_path(key, path):
    assert sysctl_path(key) == path


FSTAB = "UUID=1 / ext4 defaults 0 1\nUUID=2 none swap sw 0 0\n# /dev/x none swap sw 0 0\n/swapfile none  swap\tsw 0 0"


def test_without_swap():
    once = without_swap(FSTAB)
    lines = once.splitlines()
    assert lines[0] == "UUID=1 / ext4 defaults 0 1"
    assert lines[1] == f"{FSTAB_MARK}UUID=2 none swap sw 0 0"
    assert lines[2] == "# /dev/x none swap sw 0 0"
    assert lines[3].startswith(FSTAB_MARK)
    assert without_swap(once) == once


@pytest.mark.parametrize(
    ("enabled", "swaps", "container", "steps", "warnings"),
    [
        (False, ("/dev/sda2",), False, [NOTE, "turn off swap on /dev/sda2", f"change {FSTAB_FILE}"], 0),
        (False, (), False, [f"change {FSTAB_FILE}"], 0),
        (False, ("/dev/sda2",), True, [f"change {FSTAB_FILE}"], 1),
        (True, ("/dev/sda2",), False, [], 0),
        (None, ("/dev/sda2",), False, [], 0),
    ],
)
def test_swap(enabled, swaps, container, steps, warnings):
    state = HostState(swaps=swaps, container=container, files={FSTAB_FILE: FSTAB})
    result = plan(Wishes(swap_enabled=enabled), state)
    assert [step.text for step in result.steps] == steps
    assert len(result.warnings) == warnings


BLOCK = "# BEGIN cloudnative.platform\n127.0.0.1 api\n# END cloudnative.platform\n"


@pytest.mark.parametrize(
    ("text", "entries", "expected"),
    [
        pytest.param("", {"api": ["127.0.0.1"]}, BLOCK, id="empty file"),
        pytest.param("::1 x\n", {"api": ["127.0.0.1"]}, "::1 x\n" + BLOCK, id="at the end"),
        pytest.param("::1 x", {"api": ["127.0.0.1"]}, "::1 x\n" + BLOCK, id="no newline at the end"),
        pytest.param("a\n" + BLOCK + "b\n", {"api": ["127.0.0.1"]}, "a\n" + BLOCK + "b\n", id="done"),
        pytest.param(
            "a\n" + BLOCK + "b\n",
            {"api": ["::1", "127.0.0.1"]},
            "a\n" + BLOCK.replace("127.0.0.1 api\n", "::1 api\n127.0.0.1 api\n") + "b\n",
            id="changed where it is",
        ),
        pytest.param("a\n" + BLOCK + "b\n", {}, "a\nb\n", id="removed"),
        pytest.param("a\n", {}, "a\n", id="nothing to remove"),
    ],
)
def test_with_block(text, entries, expected):
    assert with_block(text, entries) == expected


def test_hosts():
    state = HostState(files={HOSTS_FILE: "10.0.0.9 api other\n"})
    result = plan(Wishes(hosts_entries={"api": ["127.0.0.1"]}), state)
    assert [step.text for step in result.steps] == [f"change {HOSTS_FILE}"]
    assert result.warnings == [f"{HOSTS_FILE} also maps api to 10.0.0.9; that line wins, remove it"]


def test_hosts_with_a_wrong_address():
    result = plan(Wishes(hosts_entries={"api": ["127.0.0.300"]}), HostState(files={HOSTS_FILE: ""}))
    assert result.problems == ['"127.0.0.300" of host name api is not an IP address']
    assert result.steps == []


@pytest.mark.parametrize(
    ("shared", "content", "enabled", "steps"),
    [
        pytest.param(True, None, False, [], id="systemd did it"),
        pytest.param(True, RSHARED_CONTENT, True, [], id="our unit did it"),
        pytest.param(False, RSHARED_CONTENT, True, ["baseline", "rshared"], id="only now"),
        pytest.param(False, None, False, ["baseline", "file", "enable-rshared", "rshared"], id="now and at boot"),
        pytest.param(True, "old", False, ["file", "enable-rshared"], id="our unit is an old one"),
    ],
)
def test_mounts_shared(shared, content, enabled, steps):
    state = HostState(root_shared=shared, rshared_enabled=enabled, files={RSHARED_FILE: content})
    assert [step.kind for step in plan(Wishes(mounts_shared=True), state).steps] == steps
    assert plan(Wishes(mounts_shared=False), state).steps == []


@pytest.mark.parametrize(
    ("wanted", "current", "file", "steps", "problems"),
    [
        ("n1", "n1", "n1\n", [], 0),
        ("n1", "old", "old\n", [NOTE, f"change {HOSTNAME_FILE}", "rename the host from old to n1"], 0),
        ("N_1", "old", "old\n", [], 1),
        (None, "old", "x\n", [], 0),
    ],
)
def test_hostname(wanted, current, file, steps, problems):
    result = plan(Wishes(hostname=wanted), HostState(hostname=current, files={HOSTNAME_FILE: file}))
    assert [step.text for step in result.steps] == steps
    assert len(result.problems) == problems


FIT = {
    "root": True,
    "architecture": "amd64",
    "os_id": "debian",
    "os_version": "12",
    "memory_mb": 4000,
    "time_synchronised": True,
}


@pytest.mark.parametrize(
    ("required", "facts", "message"),
    [
        (Requirements(), {}, None),
        (Requirements(), {"root": False}, "the connection is not root; set ansible_become: true or connect as root"),
        (Requirements(), {"architecture": "riscv64"}, "architecture riscv64 is not supported"),
        (Requirements(supported_os=("debian 12",)), {}, None),
        (Requirements(supported_os=("debian",)), {"os_version": ""}, None),
        (Requirements(supported_os=("rhel 9",)), {"os_id": "rhel", "os_version": "9.4"}, None),
        (Requirements(supported_os=("debian 1",)), {}, "operating system debian 12 is not supported"),
        (Requirements(supported_os=("ubuntu",)), {}, "operating system debian 12 is not supported; supported"),
        (Requirements(min_memory_mb=4000), {}, None),
        (Requirements(min_memory_mb=4001), {}, "it has 4000 MiB of memory, 4001 are needed"),
        (Requirements(min_disk_mb=101), {}, "/var has 100 MiB free, 101 are needed"),
        (Requirements(time_synchronised=True), {}, None),
        (Requirements(time_synchronised=True), {"time_synchronised": None}, None),
        (Requirements(time_synchronised=True), {"time_synchronised": False}, "its clock is not synchronised"),
        (Requirements(), {"time_synchronised": False}, None),
    ],
)
def test_judge(required, facts, message):
    problems = judge(required, {**FIT, **facts}, 100)
    assert len(problems) == (0 if message is None else 1)
    if message:
        assert problems[0].startswith(message)


def test_judge_names_everything_at_once():
    facts = {**FIT, "root": False, "memory_mb": 1}
    assert len(judge(Requirements(min_memory_mb=2, min_disk_mb=200, supported_os=("x",)), facts, 100)) == 4


def test_an_interrupted_installation_of_packages_is_finished_first(tmp_path):
    wishes = Wishes(modules=("overlay",))
    state = HostState(modules={"overlay": LOADABLE}, packages_interrupted=True)
    assert texts(wishes, state)[0] == "finish the installation of packages that was interrupted"
    assert not packages_interrupted(str(tmp_path / "none"))
    (tmp_path / "tmp.i").write_text("")
    assert not packages_interrupted(str(tmp_path))
    (tmp_path / "0003").write_text("")
    assert packages_interrupted(str(tmp_path))
