# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._systemd import (
    Clock,
    SystemdError,
    UnitState,
    install_section,
    parse_show,
    parse_timestamp,
    reached_at,
    unit_file_of,
)

# 2026-11-22 17:09:31 UTC
NOON = 1795367371 * 1_000_000

SHOW = """\
Type=notify
RemainAfterExit=no
ExecMainStatus=0
Result=success
LoadState=loaded
ActiveState=active
SubState=running
FragmentPath=/etc/systemd/system/demo.service
DropInPaths=/etc/systemd/system/demo.service.d/a.conf /etc/systemd/system/demo.service.d/b.conf
UnitFileState=enabled
StateChangeTimestamp=Sun 2026-11-22 17:09:31.723862 UTC
StateChangeTimestampMonotonic=2000000
ActiveEnterTimestamp=Sun 2026-11-22 17:09:31.543834 UTC
ActiveEnterTimestampMonotonic=1000000
NeedDaemonReload=no

Type=
RemainAfterExit=no
LoadState=not-found
ActiveState=inactive
SubState=dead
DropInPaths=
UnitFileState=
StateChangeTimestamp=
StateChangeTimestampMonotonic=0
ActiveEnterTimestamp=
ActiveEnterTimestampMonotonic=0
NeedDaemonReload=no

Type=oneshot
RemainAfterExit=no
Result=exit-code
ExecMainStatus=3
LoadState=loaded
ActiveState=failed
SubState=failed
UnitFileState=static
ActiveEnterTimestamp=
ActiveEnterTimestampMonotonic=0
NeedDaemonReload=yes

LoadState=loaded
ActiveState=active
SubState=waiting
UnitFileState=enabled
ActiveEnterTimestamp=Sun 2026-11-22 17:09:31.521052 UTC
ActiveEnterTimestampMonotonic=1000000
NeedDaemonReload=no
"""
NAMES = ["demo.service", "nope.service", "once.service", "demo.timer"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sun 2026-11-22 17:09:31.723862 UTC", NOON + 723862),
        ("Sun 2026-11-22 17:09:31 UTC", NOON),
        ("Sun 2026-11-22 17:09:31.7 UTC", NOON + 700000),
        ("", None),
        ("n/a", None),
    ],
)
def test_parse_timestamp(text, expected):
    assert parse_timestamp(text) == expected


@pytest.mark.parametrize(
    ("realtime", "monotonic", "clock", "expected"),
    [
        pytest.param(900, 100, Clock(1000, 200), 900, id="clocks agree"),
        pytest.param(5, 100, Clock(1000, 200), 900, id="booted in 1970, then the clock was set"),
        pytest.param(900, 100, Clock(500, 200), 900, id="clock was set back"),
        pytest.param(None, 0, Clock(1000, 200), None, id="never"),
        pytest.param(900, 0, Clock(1000, 200), None, id="not in this boot"),
    ],
)
def test_reached_at(realtime, monotonic, clock, expected):
    assert reached_at(realtime, monotonic, clock) == expected


def test_parse_show():
    states = parse_show(SHOW, NAMES, Clock(NOON + 10_000_000, 11_000_000))
    demo, nope, once, timer = (states[name] for name in NAMES)
    assert (demo.active, demo.enabled, demo.need_reload, demo.oneshot) == ("active", "enabled", False, False)
    assert demo.started_us == NOON + 543834
    assert demo.loaded_us == NOON + 1_000_000
    assert demo.drop_ins == (
        "/etc/systemd/system/demo.service.d/a.conf",
        "/etc/systemd/system/demo.service.d/b.conf",
    )
    assert nope == UnitState("nope.service")
    assert (once.oneshot, once.up, once.running, once.need_reload) == (True, False, False, True)
    assert once.describe() == "failed (failed), result exit-code, exit status 3"
    assert (timer.up, timer.started_us) == (True, NOON + 521052)


def test_parse_show_of_other_units():
    with pytest.raises(SystemdError, match=r"for 4 units instead of 1: demo\.service"):
        parse_show(SHOW, NAMES[:1], Clock(0, 0))


@pytest.mark.parametrize(
    ("active", "oneshot", "result", "up", "running"),
    [
        ("active", False, "success", True, True),
        ("reloading", False, "success", True, True),
        ("activating", False, "success", False, True),
        ("deactivating", False, "success", False, False),
        ("inactive", False, "success", False, False),
        ("failed", False, "signal", False, False),
        ("inactive", True, "success", True, False),
        ("inactive", True, "", True, False),
        ("inactive", True, "exit-code", False, False),
        ("failed", True, "exit-code", False, False),
        ("activating", True, "success", False, True),
    ],
)
def test_state_of_unit(active, oneshot, result, up, running):
    state = UnitState("x.service", active=active, oneshot=oneshot, result=result)
    assert (state.up, state.running) == (up, running)


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        ("/etc/systemd/system/a.service", "a.service"),
        ("/usr/lib/systemd/system/a@.service", "a@.service"),
        ("/etc/systemd/system/a.service.d/10-x.conf", "a.service"),
        ("/etc/systemd/system/a.service.d/note.txt", None),
        ("/etc/systemd/system/multi-user.target.wants/a.service", None),
        ("/etc/a/a.service", None),
        ("/etc/systemd/system.conf", None),
    ],
)
def test_unit_file_of(path, unit):
    assert unit_file_of(path) == unit


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"[Unit]\nA=b\n[Install]\n# note\nWantedBy=a\n\n;x\nAlias=c\n", ["WantedBy=a", "Alias=c"]),
        (b"[Install]\nWantedBy=a.target\n[Service]\nExecStart=/x\n", ["WantedBy=a.target"]),
        (b"[Service]\nExecStart=/x\n", []),
        (None, []),
    ],
)
def test_install_section(content, lines):
    assert install_section(content) == lines
