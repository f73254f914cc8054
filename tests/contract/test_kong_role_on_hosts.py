# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What role kong gives a gateway with a database, out of variables and files of the controller, and what it refuses."""

from __future__ import annotations

import json
import typing as t
import urllib.request
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from kong_gateway import Gateway
from role_play import attempt

SHOP: dict[str, t.Any] = {"name": "shop", "url": "http://shop.test"}


class Role:
    """The part of the role that gives the configuration, played here for a gateway of its own."""

    def __init__(self, gateway: Gateway, directory: Path) -> None:
        self.url = gateway.urls[0]
        self.directory = directory
        self.authority = directory / "authority"

    def __call__(self, *arguments: str, **variables: t.Any) -> str:
        given = {
            "kong_hosts": ["localhost"],
            "kong_authority_host": "localhost",
            "inventory_dir": str(self.directory),
            "__kong_speaker": "localhost",
            "__kong_pki": str(self.authority / "pki"),
            **variables,
        }
        role = {"name": "cloudnative.platform.kong", "rolespec_validate": False}
        files = ("check_configuration", "give_configuration")
        tasks = [{"ansible.builtin.include_role": {**role, "tasks_from": name}} for name in files]
        options = {"cloudnative.platform.kong_config": {"admin_urls": [self.url], "cache_dir": str(self.authority)}}
        done = attempt(self.directory, [{"tasks": tasks, "module_defaults": options}], given, *arguments)
        self.failed = done.returncode != 0
        print(done.stdout[-4000:], done.stderr[-2000:])
        return done.stdout + done.stderr

    def ask(self, path: str, method: str = "GET", body: t.Any = None) -> t.Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def names(self, kind: str = "services") -> list[str]:
        return sorted(item["name"] for item in self.ask(kind)["data"])

    def write(self, name: str, text: str | dict[str, t.Any]) -> None:
        path = self.directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text if isinstance(text, str) else yaml.safe_dump({"_format_version": "3.0", **text}))


@pytest.fixture(name="role")
def fixture_role(tmp_path: Path) -> t.Iterator[Role]:
    gateway = Gateway("postgres")
    with gateway.running(1):
        yield Role(gateway, tmp_path)


def test_a_relative_path_begins_from_the_inventorys_directory_and_a_wrong_one_deletes_nothing(role: Role) -> None:
    role.write("gateway/shop.yml", {"services": [SHOP]})
    assert "changed=1" in role(kong_configuration_files=["gateway/"])
    assert "changed=0" in role(kong_configuration_files=[f"{role.directory}/gateway"])
    assert role.names() == ["shop"]
    for path in ("gatewya/", f"{role.directory}/gatewya/", "gateway/shpo.yml"):
        assert "gatewya" in (said := role(kong_configuration_files=[path])) or "shpo.yml" in said
        assert role.failed
        assert role.names() == ["shop"]
    (role.directory / "empty").mkdir()
    assert f"directory {role.directory}/empty has no .yml, .yaml, .json in it" in role(
        kong_configuration_files=["empty"]
    )
    assert role.names() == ["shop"]


def test_what_a_file_has_twice_is_refused_by_its_name(role: Role) -> None:
    role.write("twice.yml", '_format_version: "3.0"\nservices: [{name: a, url: "http://a"}]\nservices: []\n')
    said = role(kong_configuration_files=["twice.yml"])
    assert role.failed and f"{role.directory}/twice.yml" in said and "'services' stands there twice" in said
    role.write("wrong.yml", {"services": [{**SHOP, "retires": 1}]})
    said = role(kong_configuration_files=["wrong.yml"])
    assert role.failed and f"{role.directory}/wrong.yml: services[0]" in said


def test_only_what_the_role_made_is_deleted_and_nothing_where_no_variable_says_anything(role: Role) -> None:
    role.ask("services", "POST", {"name": "by-hand", "url": "http://by-hand.test"})
    assert "changed=1" in role()
    assert (role.names(), role.names("plugins")) == (["by-hand"], ["prometheus"])
    role(kong_configuration={"services": [SHOP, {**SHOP, "name": "other"}]})
    role(kong_configuration={"services": [SHOP]})
    assert role.names() == ["by-hand", "shop"]
    said = role()
    assert role.failed and "1 entities would be deleted, more than prune_max=0 allows: service shop" in said
    assert role.names() == ["by-hand", "shop"]
    role(kong_configuration={"_format_version": "3.0"})
    assert (role.failed, role.names()) == (False, ["by-hand"])


def test_a_prometheus_plugin_of_the_users_own_meets_the_one_of_kong_prometheus(role: Role) -> None:
    role.write("own.yml", {"plugins": [{"name": "prometheus"}]})
    said = role(kong_configuration_files=["own.yml"])
    assert role.failed and "own.yml: plugins[0] and kong_prometheus: plugins[0]" in said
    role(kong_configuration_files=["own.yml"], kong_prometheus=False)
    assert not role.failed


def test_a_certificate_is_issued_once_and_renewed_in_its_place(role: Role) -> None:
    wanted = {"kong_certificates": [{"names": ["*.shop.test", "shop.test"]}]}
    said = role("--check", **wanted)
    assert not role.failed and role.ask("certificates")["data"] == []
    said = role("--diff", **wanted)
    assert not role.failed and "PRIVATE KEY" not in said
    first = role.ask("certificates")["data"]
    assert [sorted(one["snis"]) for one in first] == [["*.shop.test", "shop.test"]]
    made, authority = x509.load_pem_x509_certificates(first[0]["cert"].encode())
    made.verify_directly_issued_by(authority)
    assert "changed=0" in role(**wanted)
    assert "changed=0" in role("--check", **wanted)
    # It has 365 days; these variables find it due.
    due = {"kong_certificate_days": 500, "kong_certificate_renew_days": 400}
    assert "changed=2" in role("--check", **wanted, **due)
    assert role.ask("certificates")["data"] == first
    role(**wanted, **due)
    second = role.ask("certificates")["data"]
    assert [one["id"] for one in second] == [one["id"] for one in first]
    assert (second[0]["key"], second[0]["cert"] == first[0]["cert"]) == (first[0]["key"], False)
    assert "changed=0" in role(**wanted, **due)


def test_without_a_host_that_keeps_the_authority_nothing_is_changed(role: Role) -> None:
    said = role(
        kong_certificates=[{"names": ["shop.test"]}], kong_authority_host="", kong_configuration={"services": [SHOP]}
    )
    assert role.failed and "kong_authority_host does not say" in said
    assert role.names() == []
