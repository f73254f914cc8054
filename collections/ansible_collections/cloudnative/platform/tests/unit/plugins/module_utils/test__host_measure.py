# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._host_measure import (
    Bounds,
    Sample,
    judge,
    percentile,
    skew,
)


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([7], 99, 7),
        ([3, 1, 2], 50, 2),
        ([1, 2], 50, 1),
        (range(1, 101), 99, 99),
        (range(1, 101), 50, 50),
        (range(1, 1001), 99, 990),
        # Fewer than a hundred values: the worst of them.
        (range(1, 41), 99, 40),
        ([5, 4], 100, 5),
        ([5, 4], 0, 4),
    ],
)
def test_percentile(values, share, expected):
    assert percentile(list(values), share) == expected


def polled(ahead, rtt=0.002, every=0.02, start=1000.3):
    """What a registry answers to a host whose clock is ahead of its own, until its second changes."""
    samples, now = [], start
    while not samples or samples[-1].second == samples[0].second:
        samples.append(Sample(now + ahead, int(now + rtt / 2), now + rtt + ahead))
        now += every + rtt
    return samples


@pytest.mark.parametrize("ahead", [0.0, 0.004, 0.7, -0.7, 7.0, -7.25, 3600.5])
@pytest.mark.parametrize("start", [1000.0, 1000.3, 1000.99])
@pytest.mark.parametrize("rtt", [0.0005, 0.002, 0.08])
def test_skew_is_known_to_some_milliseconds(ahead, start, rtt):
    found, uncertainty = skew(polled(ahead, rtt=rtt, start=start))
    assert abs(found - ahead) <= uncertainty + 1e-6
    assert uncertainty <= 0.5 * 0.02 + 1.01 * rtt


def test_skew_of_one_sample_is_known_to_half_a_second():
    assert skew([Sample(1000.5, 1000, 1000.5)]) == (0.0, 0.5)


def test_a_clock_that_is_set_meanwhile_is_noticed():
    with pytest.raises(ValueError, match="was set"):
        skew([Sample(1000.0, 1000, 1000.1), Sample(1010.2, 1000, 1010.3)])


def clock(ahead, uncertainty=12.0):
    return {"clock": [{"host": "r1", "endpoint": "https://r1:5000", "skew_ms": ahead, "uncertainty_ms": uncertainty}]}


def path(mtu, name="worker1", full=1500, hole=False, by="icmp"):
    entry = {"name": name, "address": "192.0.2.9", "interface": "eth0", "interface_mtu": full}
    return {**entry, "path_mtu": mtu, "black_hole": hole, "by": by}


def silent(name, reason, interface="eth0"):
    return {"name": name, "address": "192.0.2.9", "interface": interface, "interface_mtu": 1500, "error": reason}


def disk(p99, cpu_wait=3.0):
    figures = {"p50_ms": 1.0, "p99_ms": p99, "max_ms": 31.0, "samples": 1000, "cpu_wait_ms": cpu_wait}
    return {"fsync": {"path": "/var/lib/etcd", "directory": "/var/lib", **figures}}


def speed(rate):
    figures = {"bytes": 33554432, "seconds": 0.5, "mbytes_per_second": rate}
    return {"bandwidth": [{"host": "r1", "endpoint": "https://r1:5000", **figures}]}


@pytest.mark.parametrize(
    ("measured", "bounds", "verdict", "words"),
    [
        (clock(3.0), {}, "ok", ["clock against registry r1: 3 ms ahead (± 12), at most 500 ms"]),
        (clock(-499.0), {}, "ok", ["499 ms behind"]),
        # It may be less by what isn't known.
        (clock(511.0), {}, "ok", []),
        (clock(-513.0), {}, "missed", ["513 ms behind", "the bound is at most 500 ms", "chrony"]),
        (clock(7012.0), {}, "missed", ["7012 ms ahead", "Certificates"]),
        (clock(600.0), {"max_clock_skew_ms": 1000}, "ok", ["at most 1000 ms"]),
        (clock(7012.0), {"max_clock_skew_ms": 0}, "ok", []),
        ({"clock": [{"host": "r1", "endpoint": "", "error": "closed"}]}, {}, "unknown", ["registry r1: closed"]),
        (disk(9.96), {}, "ok", ["fsync p99 in /var/lib: 10.0 ms (p50 1.0, max 31.0, 1000 writes), at most 10 ms"]),
        (disk(10.1), {}, "missed", ["10.1 ms", "at most 10 ms", "SSD"]),
        (disk(10.1, cpu_wait=1562.1), {}, "missed", ["1000 writes; the host was busy, 1562 ms without a CPU)"]),
        (disk(10.1), {"max_fsync_p99_ms": 20}, "ok", []),
        (disk(99.0), {"max_fsync_p99_ms": 0}, "ok", []),
        ({"fsync": {"path": "/x", "directory": "/", "error": "cannot write there"}}, {}, "unknown", ["cannot write"]),
        (speed(120.0), {}, "ok", ["bandwidth from registry r1: 120.0 MB/s (33.6 MB in 0.50 s), at least 10 MB/s"]),
        (speed(9.9), {}, "missed", ["the bound is at least 10 MB/s", "gigabyte of programs and images takes 101 s"]),
        (speed(0.0), {}, "missed", ["never ends"]),
        (speed(0.0), {"min_registry_mbytes_per_second": 0}, "ok", []),
        ({"path_mtu": [path(1500)]}, {}, "ok", ["path MTU to worker1: 1500, at least 1500"]),
        ({"path_mtu": [path(9000, full=9000)]}, {}, "ok", ["at least 9000"]),
        ({"path_mtu": [path(1460, full=1460)]}, {}, "ok", ["at least 1460"]),
        (
            {"path_mtu": [path(1404, hole=True)]},
            {},
            "missed",
            ["1404, larger packets vanish", "at least 1500 (MTU of eth0: 1500)", "hang", "type 3 code 4"],
        ),
        ({"path_mtu": [path(1400)]}, {}, "missed", ["fragmented or lost", "network_calico_mtu: 1350"]),
        ({"path_mtu": [path(1400, full=1400)]}, {}, "missed", ["at least 1450", "1350 bytes are left"]),
        ({"path_mtu": [path(1400, full=1400)]}, {"min_path_mtu": 1400}, "ok", []),
        # TCP was told of a narrow path; what it wasn't told of proves nothing.
        ({"path_mtu": [path(1400, by="tcp")]}, {}, "missed", ["network_flannel_mtu: 1400"]),
        ({"path_mtu": [path(1500, by="tcp")]}, {}, "unknown", ["1500 as TCP has it"]),
        ({"path_mtu": [silent("worker1", "does not answer")]}, {}, "unknown", ["to worker1: does not answer"]),
    ],
)
def test_judge(measured, bounds, verdict, words):
    (finding,) = judge(measured, Bounds(**bounds))
    assert finding.verdict == verdict
    assert [word for word in words if word not in finding.sentence()] == []
    assert finding.as_dict()["text"] == finding.sentence()


def test_a_miss_says_figure_bound_consequence_and_remedy():
    (finding,) = judge(disk(40.0), Bounds())
    assert finding.sentence() == (
        "fsync p99 in /var/lib: 40.0 ms (p50 1.0, max 31.0, 1000 writes), the bound is at most 10 ms. "
        "etcd waits for its disk with every write: heartbeats are late, leaders change, the API hangs. "
        "What to do: give etcd a local SSD that little else writes to; no network file system, no spinning disk"
    )


def test_what_is_unknown_says_why_and_no_more():
    (finding,) = judge({"path_mtu": [silent("worker1", "192.0.2.9 does not answer")]}, Bounds())
    assert finding.sentence() == "path MTU to worker1: 192.0.2.9 does not answer"


def test_paths_with_the_same_figures_are_one_finding():
    good = [path(1500, name=f"worker{number}") for number in range(1, 8)]
    bad = path(1404, name="worker8", hole=True)
    off = [silent(name, f"{name} does not answer") for name in ("worker9", "worker10")]
    findings = judge({"path_mtu": [*good, bad, *off]}, Bounds())
    assert [(finding.subject, finding.verdict) for finding in findings] == [
        ("to worker1, worker2, worker3, worker4, worker5 and 2 more", "ok"),
        ("to worker8", "missed"),
        ("to worker9", "unknown"),
        ("to worker10", "unknown"),
    ]


def test_nothing_measured_is_nothing_found():
    assert judge({"clock": [], "path_mtu": [], "fsync": None, "bandwidth": []}, Bounds()) == []
