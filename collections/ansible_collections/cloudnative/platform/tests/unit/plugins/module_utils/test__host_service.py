# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._host_files import Found, Wanted
from ansible_collections.cloudnative.platform.plugins.module_utils._host_service import (
    Desired,
    Observed,
    Unit,
    User,
    belongs_to,
    leftovers,
    plan,
    watched_paths,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._systemd import SystemdError, UnitState

CONF = Wanted("/etc/demo.conf", 0o644, content=b"a\n")
UNIT_FILE = Wanted("/etc/systemd/system/demo.service", 0o644, content=b"[Install]\nWantedBy=multi-user.target\n")
TIMER_FILE = Wanted("/etc/systemd/system/demo.timer", 0o644, content=b"[Timer]\n")
FILES = (CONF, UNIT_FILE)
DEMO = Unit("demo.service", enabled=True)
STARTED = 1000
DROP_IN = "/etc/systemd/system/a.service.d/x.conf"
RUNNING = UnitState(
    "demo.service",
    load="loaded",
    active="active",
    sub="running",
    enabled="enabled",
    result="success",
    started_us=STARTED,
    loaded_us=STARTED,
)


def found(wanted, mtime=500, content=None):
    return Found("file", wanted.mode, "root", "root", wanted.content if content is None else content, mtime)


def observed(state=RUNNING, mtimes=None, contents=None, **options):
    files = {f.path: found(f, (mtimes or {}).get(f.path, 500), (contents or {}).get(f.path)) for f in FILES}
    for path, mtime in (mtimes or {}).items():
        files.setdefault(path, Found("file", 0o755, "root", "root", None, mtime))
    return Observed(files=files, units={state.name: state}, **options)


def state(**changes):
    return UnitState(**{**vars(RUNNING), **changes})


def texts(desired, seen):
    return [action.text for action in plan(desired, seen).actions]


def kinds(desired, seen):
    return [(action.kind, action.target) for action in plan(desired, seen).actions]


BARE = Observed(files={f.path: Found() for f in FILES}, units={"demo.service": UnitState("demo.service")})


def test_bare_host_gets_everything_in_order():
    desired = Desired((User("demo", "demo"),), FILES, (DEMO,))
    assert texts(desired, BARE) == [
        "create group demo",
        "create user demo",
        "create /etc/demo.conf (mode 0644)",
        "create /etc/systemd/system/demo.service (mode 0644)",
        "reload systemd's unit files",
        "enable demo.service",
        "start demo.service (it is inactive (dead), not-found)",
    ]


def test_converged_host_gets_nothing():
    desired = Desired((User("demo", "demo"),), FILES, (DEMO,))
    assert texts(desired, observed(users=frozenset({"demo"}), groups=frozenset({"demo"}))) == []


START = ("start", "demo.service")
RESTART = ("restart", "demo.service")
RELOAD = ("reload", "demo.service")
DAEMON = ("daemon-reload", "")
WRITE_CONF = ("file", CONF.path)
WRITE_UNIT = ("file", UNIT_FILE.path)
OLD_CONF = {"contents": {CONF.path: b"old\n"}}
OLD_UNIT = {"contents": {UNIT_FILE.path: b"[Install]\nWantedBy=multi-user.target\n[Service]\n"}}


@pytest.mark.parametrize(
    ("unit", "seen", "expected"),
    [
        pytest.param(DEMO, observed(**OLD_CONF), [WRITE_CONF, RESTART], id="a file changes"),
        pytest.param(DEMO, observed(**OLD_UNIT), [WRITE_UNIT, DAEMON, RESTART], id="the unit file changes"),
        pytest.param(DEMO, observed(mtimes={CONF.path: 1001}), [RESTART], id="killed before the restart"),
        pytest.param(DEMO, observed(mtimes={CONF.path: 1000}), [], id="written in the same microsecond"),
        pytest.param(DEMO, observed(state(need_reload=True)), [DAEMON, RESTART], id="killed before the daemon-reload"),
        pytest.param(DEMO, observed(state(active="failed", sub="failed")), [START], id="failed"),
        pytest.param(DEMO, observed(state(active="activating", sub="auto-restart")), [], id="on its way up"),
        pytest.param(
            DEMO,
            observed(state(active="activating", sub="auto-restart"), **OLD_CONF),
            [WRITE_CONF, RESTART],
            id="crash loop, and its file changes",
        ),
        pytest.param(DEMO, observed(state(enabled="disabled")), [("enable", "demo.service")], id="disabled"),
        pytest.param(DEMO, observed(state(enabled="static")), [], id="nothing to enable"),
        pytest.param(
            DEMO,
            observed(contents={UNIT_FILE.path: b"[Install]\nWantedBy=basic.target\n"}),
            [WRITE_UNIT, DAEMON, ("reenable", "demo.service"), RESTART],
            id="[Install] changes",
        ),
        pytest.param(Unit("demo.service", enabled=False), observed(), [("disable", "demo.service")], id="disable"),
        pytest.param(Unit("demo.service"), observed(state(enabled="disabled")), [], id="enabled or not, left alone"),
        pytest.param(
            Unit("demo.service", watch=()), observed(**OLD_CONF), [WRITE_CONF], id="watches nothing but its unit file"
        ),
        pytest.param(
            Unit("demo.service", watch=()),
            observed(**OLD_UNIT),
            [WRITE_UNIT, DAEMON, RESTART],
            id="always its unit file",
        ),
        pytest.param(
            Unit("demo.service", watch=("/usr/local/bin/demo",)),
            observed(mtimes={"/usr/local/bin/demo": 2000}),
            [RESTART],
            id="watches a file of somebody else",
        ),
        pytest.param(
            Unit("demo.service", reload_on=(CONF.path,)), observed(**OLD_CONF), [WRITE_CONF, RELOAD], id="reload"
        ),
        pytest.param(
            Unit("demo.service", reload_on=(CONF.path,)),
            observed(state(loaded_us=800), mtimes={CONF.path: 900}),
            [RELOAD],
            id="killed before the reload",
        ),
        pytest.param(
            Unit("demo.service", reload_on=(CONF.path,)),
            observed(state(loaded_us=3000), mtimes={CONF.path: 2000}),
            [],
            id="reloaded after the change",
        ),
        pytest.param(
            Unit("demo.service", reload_on=(CONF.path,)),
            observed(contents={**OLD_CONF["contents"], **OLD_UNIT["contents"]}),
            [WRITE_CONF, WRITE_UNIT, DAEMON, RESTART],
            id="a restart makes a reload needless",
        ),
        pytest.param(Unit("demo.service", state="present"), observed(**OLD_CONF), [WRITE_CONF, RESTART], id="present"),
        pytest.param(
            Unit("demo.service", state="present"),
            observed(state(active="inactive", sub="dead"), **OLD_CONF),
            [WRITE_CONF],
            id="present, not running",
        ),
        pytest.param(
            Unit("demo.service", state="stopped"),
            observed(**OLD_CONF),
            [("stop", "demo.service"), WRITE_CONF],
            id="stopped",
        ),
        pytest.param(
            Unit("demo.service", state="absent"),
            observed(),
            [("stop", "demo.service"), ("disable", "demo.service")],
            id="absent",
        ),
        pytest.param(
            DEMO, observed(state(oneshot=True, active="inactive", started_us=None)), [], id="oneshot that is done"
        ),
        pytest.param(
            DEMO,
            observed(state(oneshot=True, active="inactive", started_us=None), **OLD_CONF),
            [WRITE_CONF, RESTART],
            id="oneshot whose file changes",
        ),
        pytest.param(
            DEMO,
            observed(state(oneshot=True, active="failed", result="exit-code", started_us=None)),
            [START],
            id="oneshot that failed",
        ),
    ],
)
def test_plan(unit, seen, expected):
    assert kinds(Desired(files=FILES, units=(unit,)), seen) == expected


def test_only_attributes_restart_nothing():
    seen = observed()
    seen.files[CONF.path] = Found("file", 0o600, "root", "root", CONF.content, 500)
    assert kinds(Desired(files=FILES, units=(DEMO,)), seen) == [WRITE_CONF]


def test_reasons_are_named():
    seen = observed(mtimes={CONF.path: 2000, UNIT_FILE.path: 500}, **OLD_UNIT)
    assert texts(Desired(files=FILES, units=(DEMO,)), seen)[-1] == (
        "restart demo.service: /etc/systemd/system/demo.service changes; /etc/demo.conf is newer than the running unit"
    )


def test_files_from_the_future_are_reported_for_repair():
    action = plan(Desired(files=FILES, units=(DEMO,)), observed(mtimes={CONF.path: 2000})).actions[0]
    assert action.newer == (CONF.path,)


def test_masked_unit_is_refused():
    with pytest.raises(SystemdError, match=r"demo\.service is masked.*systemctl unmask demo\.service"):
        plan(Desired(files=FILES, units=(DEMO,)), observed(state(enabled="masked")))


RESTARTED = ("demo.service", "", "restarted: /etc/demo.conf changes\n")


@pytest.mark.parametrize(
    ("unit", "seen", "expected"),
    [
        pytest.param(DEMO, observed(**OLD_CONF), [(CONF.path, "old\n", "a\n"), RESTARTED], id="restarted"),
        pytest.param(
            Unit("demo.service", watch=(), reload_on=(CONF.path,)),
            observed(mtimes={CONF.path: 1001}),
            [("demo.service", "", "reloaded: /etc/demo.conf is newer than the last reload\n")],
            id="reloaded",
        ),
        pytest.param(
            DEMO,
            observed(state(active="failed", sub="failed", result="exit-code", exit_status="1", enabled="disabled")),
            [("demo.service", "disabled\nfailed (failed), result exit-code, exit status 1\n", "enabled\nstarted\n")],
            id="disabled and failed",
        ),
        pytest.param(
            Unit("demo.service", state="stopped", enabled=False),
            observed(),
            [("demo.service", "active (running)\nenabled\n", "stopped\ndisabled\n")],
            id="to be stopped",
        ),
        pytest.param(DEMO, observed(), [], id="as it should be"),
    ],
)
def test_diff_tells_files_and_units(unit, seen, expected):
    result = plan(Desired(files=FILES, units=(unit,)), seen)
    assert [(d["before_header"], d["before"], d["after"]) for d in result.diff] == expected


def test_diff_tells_new_accounts():
    result = plan(Desired(users=(User("demo", "demo"),)), Observed())
    assert [d["after"] for d in result.diff] == ["group demo\nuser demo\n"]


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        (Unit("demo.service"), [UNIT_FILE.path, CONF.path]),
        (Unit("demo.service", reload_on=(CONF.path,)), [UNIT_FILE.path]),
        (Unit("demo.service", watch=("/x",)), [UNIT_FILE.path, "/x"]),
        (Unit("demo.timer"), [TIMER_FILE.path]),
        (Unit("other.service"), [CONF.path]),
        (Unit("other.socket"), []),
    ],
)
def test_watched_paths(unit, expected):
    assert list(watched_paths(unit, (*FILES, TIMER_FILE, Wanted("/etc/demo", 0o755)))) == expected


@pytest.mark.parametrize(
    ("path", "unit", "expected"),
    [
        ("/etc/systemd/system/a.service", "a.service", True),
        ("/etc/systemd/system/a.service", "b.service", False),
        ("/etc/systemd/system/a.service.d/x.conf", "a.service", True),
        ("/etc/systemd/system/a@.service", "a@one.service", True),
        ("/etc/systemd/system/a@.service.d/x.conf", "a@one.service", True),
        ("/etc/systemd/system/a@.service", "b@one.service", False),
        ("/etc/a.service", "a.service", False),
    ],
)
def test_belongs_to(path, unit, expected):
    assert belongs_to(path, unit) is expected


@pytest.mark.parametrize(
    ("fragment", "drop_ins", "expected"),
    [
        ("/etc/systemd/system/a.service", (), ["/etc/systemd/system/a.service"]),
        ("/lib/systemd/system/a.service", (DROP_IN,), [DROP_IN]),
        ("", (), []),
    ],
)
def test_leftovers(fragment, drop_ins, expected):
    removed = leftovers(Unit("a.service", state="absent"), UnitState("a.service", fragment=fragment, drop_ins=drop_ins))
    assert [wanted.path for wanted in removed] == expected
    assert all(wanted.absent for wanted in removed)
