"""Gateways on hosts as their clients and those who run them see them.

What answers is a double of Kong, not Kong: it stands for its commands, its Admin API and the plugins used here.
"""

from __future__ import annotations

import socket
import ssl

import pytest
from gateways import GATEWAYS, KEY, PASSWORD, ask
from waiting import wait_for

pytestmark = pytest.mark.groups("kong", once=True)


@pytest.mark.parametrize("name", GATEWAYS)
def test_one_configuration_for_every_gateway(host, name):
    answer = ask(name, "/")
    assert (answer.status, answer.body) == (200, "demo\n")
    assert answer.headers["via"] == "1.1 kong-double/3.9.1"
    assert ask(name, "/private").status == 401
    assert ask(name, "/private", apikey=KEY).status == 200


@pytest.mark.parametrize("name", GATEWAYS)
def test_admin_api_is_for_the_host_itself(host, hosts, name):
    assert hosts[name].run("curl -sf http://127.0.0.1:8001/services").rc == 0
    with socket.socket() as connection:
        connection.settimeout(2)
        assert connection.connect_ex((GATEWAYS[name], 8001)) != 0


@pytest.mark.parametrize("name", GATEWAYS)
def test_password_is_in_one_file(host, hosts, name):
    gateway = hosts[name]
    conf = gateway.file("/etc/kong/kong.conf")
    assert (conf.mode, conf.user, conf.group) == (0o640, "root", "kong")
    assert 'it\'s \\#1: {{ secret }} $HOME "word"' in conf.content_string
    assert PASSWORD not in gateway.check_output("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert PASSWORD not in gateway.check_output("journalctl --no-pager --output=cat")
    assert "{{ secret }}" not in gateway.check_output("journalctl --no-pager --output=cat")


@pytest.mark.parametrize("name", GATEWAYS)
def test_unit(host, hosts, name):
    show = (
        "systemctl show kong.service --property=UnitFileState,KillSignal,KillMode,NoNewPrivileges,ProtectSystem,Restart"
    )
    assert set(hosts[name].check_output(show).splitlines()) == {
        "UnitFileState=enabled",
        "KillSignal=3",
        "KillMode=mixed",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "Restart=on-failure",
    }


@pytest.mark.parametrize("name", GATEWAYS)
def test_who_trusts_our_authority_gets_the_certificate_of_the_host_it_asks_for(host, hosts, name):
    authority = hosts["gateway1"].check_output("cat /etc/cloudnative/pki/ca.crt")
    context = ssl.create_default_context(cadata=authority)
    with (
        socket.create_connection((GATEWAYS[name], 8443), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="demo.example.com") as encrypted,
    ):
        assert ("DNS", "demo.example.com") in encrypted.getpeercert()["subjectAltName"]
    key = hosts["gateway1"].file("/etc/cloudnative/pki/kong/demo.example.com.key")
    assert (key.mode, key.user) == (0o600, "root")


@pytest.mark.parametrize("playbook", ["converge", "configure"])
def test_a_path_that_is_not_there_deletes_nothing(host, converge, untouched, playbook):
    done = converge(playbook=playbook, kong_configuration={}, kong_configuration_files=["gatewya/"])
    assert done.returncode != 0
    assert "gatewya/ is a relative path, and begins from" in " ".join(done.stdout.split())
    assert ask("gateway1", "/private").status == 401


def test_the_configuration_alone_goes_through_a_gateway_that_runs(host, converge, hosts, running):
    hosts["gateway1"].check_output("systemctl stop kong.service")
    before = running(hosts["gateway2"])["unit kong.service"]
    document = {"services": [{"name": "demo", "url": "http://127.0.0.1:9000", "routes": [{"paths": ["/only"]}]}]}
    done = converge("-v", playbook="configure", kong_configuration=document)
    assert (done.returncode, "delete route private" in done.stdout) == (0, True)
    wait_for(lambda: ask("gateway2", "/private").status == 404, 30, "the private route is gone")
    assert running(hosts["gateway2"])["unit kong.service"] == before
    assert hosts["gateway1"].run("systemctl is-active kong.service").rc != 0
    assert converge().returncode == 0
    wait_for(lambda: ask("gateway1", "/private").status == 401, 30, "the private route is back")
    assert converge(playbook="configure").stdout.count("changed=0") == len(GATEWAYS)


def test_a_route_more_is_there_for_both_and_restarts_nothing(host, converge, untouched, running, hosts):
    document = {
        "services": [
            {
                "name": "demo",
                "url": "http://127.0.0.1:9000",
                "routes": [{"name": "open", "paths": ["/"]}, {"name": "more", "paths": ["/more"], "methods": ["GET"]}],
            }
        ]
    }
    done = converge("--diff", "-v", kong_configuration=document)
    assert done.returncode == 0
    assert "create route more" in done.stdout and "delete route private" in done.stdout
    assert KEY not in done.stdout
    for name in GATEWAYS:
        wait_for(lambda name=name: ask(name, "/private").status == 200, 30, "the private route is gone")


WRONG = {
    "password": ({"password": "not-the-one"}, "the password in kong_database is wrong"),
    "port": ({"port": 5433}, "PostgreSQL at 10.98.97.12:5433 can't be reached: Connection refused"),
    "database": ({"name": "nothing"}, 'database "nothing" does not exist; create the database, owned by the role'),
    "encryption": ({"ssl": False}, "has no line that lets it in from here this way"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_can_not_work_is_told_before_anything_is_touched(host, converge, untouched, case):
    changed, message = WRONG[case]
    done = converge(demo_wrong=changed)
    assert done.returncode != 0
    assert message in " ".join(done.stdout.replace('\\"', '"').split())
