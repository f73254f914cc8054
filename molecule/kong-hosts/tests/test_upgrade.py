"""A new version, other settings, and the end, while clients ask all the time. The tests go on from each other."""

from __future__ import annotations

import os
import signal

import pytest
from gateways import GATEWAYS, KEY, Balancer, ask, version_of
from waiting import wait_for

pytestmark = [pytest.mark.disruptive, pytest.mark.groups("kong", once=True)]


def started(hosts) -> dict[str, int]:
    show = "systemctl show kong.service --property=ActiveEnterTimestampMonotonic --value"
    return {name: int(host.check_output(show)) for name, host in hosts.items()}


def test_clients_notice_a_gateway_that_simply_ends(host, hosts):
    """What the other tests are worth: requests that are cut off are seen."""
    with Balancer() as load:
        hosts["gateway1"].check_output("systemctl kill --signal=KILL kong.service")
        wait_for(lambda: load.lost, 10, "a request is lost")
    wait_for(lambda: hosts["gateway1"].run("systemctl is-active kong.service").rc == 0, 30, "systemd starts it again")


def test_settings_reach_one_host_after_the_other_without_a_lost_request(host, converge, hosts):
    before = started(hosts)
    with Balancer() as load:
        done = converge(kong_worker_processes=1)
    assert done.returncode == 0
    assert load.asked > 100
    assert load.lost == []
    after = started(hosts)
    # The machine has one clock. The second host was stopped, drained and started after the first one was ready.
    assert before["gateway1"] < after["gateway1"] < after["gateway2"] - 2_000_000


def test_a_host_that_does_not_come_up_ends_the_run_before_the_next_one(host, converge, hosts):
    before = started(hosts)
    with Balancer() as load:
        done = converge(kong_settings={"admin_listen": "nonsense"}, kong_timeout=10)
    assert done.returncode != 0
    assert "kong.service" in done.stdout and "nonsense is no address to listen on" in done.stdout
    assert started(hosts)["gateway2"] == before["gateway2"]
    assert load.lost == []
    assert converge().returncode == 0


def test_check_mode_tells_what_an_upgrade_does(host, converge, untouched):
    done = converge("--check", "--diff", "-v", demo_version="3.9.2")
    assert done.returncode == 0
    assert "install Kong 3.9.2 (3.9.1 is installed)" in done.stdout
    assert "run migrations of Kong 3.9.2, if it has new ones" in done.stdout


def test_killed_between_up_and_finish_nothing_is_lost_and_the_next_run_finishes(host, start, converge, hosts, database):
    with Balancer() as load:
        process = start(demo_version="3.9.2")
        wait_for(lambda: version_of("gateway1") == "3.9.2", 90, "the first gateway runs the new version")
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert database.pending() == ["025_390_to_392"]

        # Another version has to wait. Both gateways go on meanwhile, the old one on the migrated database.
        refused = converge(demo_version="3.9.4")
        assert refused.returncode != 0
        assert "Migrations of an earlier upgrade are pending" in refused.stdout
        assert ask("gateway2", "/private", apikey=KEY).status == 200

        done = converge(demo_version="3.9.2")
        assert done.returncode == 0
    assert load.asked > 200
    assert load.lost == []
    assert database.pending() == []
    assert {version_of(name) for name in GATEWAYS} == {"3.9.2"}
    assert ask("gateway2", "/private", apikey=KEY).status == 200


def test_second_run_after_the_upgrade_changes_nothing(host, converge, untouched):
    done = converge(demo_version="3.9.2")
    assert done.stdout.count("changed=0") == len(GATEWAYS)


def test_a_database_that_is_newer_than_the_version_is_refused(host, converge, untouched):
    done = converge(demo_version="3.9.1")
    assert done.returncode != 0
    assert "was migrated by Kong 3.9.2 and is newer than Kong 3.9.1" in " ".join(done.stdout.split())


def test_one_host_alone_does_not_finish_for_the_other(host, converge, untouched, database):
    """As after `--limit`: nothing is known of the host that is not in the run, so what it may need stays."""
    database.query(
        "UPDATE schema_meta SET executed = array_remove(executed, '025_390_to_392'), pending = '{025_390_to_392}' "
        "WHERE subsystem = 'core'"
    )
    done = converge("--limit", "gateway1", demo_version="3.9.2")
    assert "are not finished before gateway2 run it too" in " ".join(done.stdout.split())
    assert database.pending() == ["025_390_to_392"]
    assert converge(demo_version="3.9.2").returncode == 0
    assert database.pending() == []


def test_taken_back_without_a_trace(host, playbook, converge, hosts, database, left_behind):
    variables = "@molecule/kong-hosts/group_vars/kong.yml"
    done = playbook("reset", "-e", variables, "-e", "reset_hosts=all", "-e", "reset_confirm=kubernetes")
    assert done.returncode == 0
    assert "Taken back: gateway1, gateway2." in done.stdout
    assert {name: found for name, gateway in hosts.items() if (found := left_behind(gateway))} == {}
    assert [gateway.run("ls /var/cache/*.deb").stdout for gateway in hosts.values()] == ["", ""]
    assert database.query("SELECT count(*) FROM double_entities WHERE entity = 'routes'") == "2"
    # The same tasks take the gateway alone away.
    assert converge(demo_version="3.9.2", kong_state="absent").stdout.count("changed=0") == len(GATEWAYS)
