# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kuma on hosts, as far as it needs no host: the administrator's token, and what the double's programs are made of."""

from __future__ import annotations

import base64
import json
import stat
import typing as t
from pathlib import Path

import double_of_kuma
import pytest
from ansible.module_utils.testing import patch_module_args
from kuma_mesh import Control

from ansible_collections.cloudnative.platform.plugins.modules import kuma_admin_token

pack_kuma = double_of_kuma.load("pack_kuma", double_of_kuma.DOUBLES / "pack_kuma.py")
envoy, kumactl, settings = (double_of_kuma.part(f"hosts.{name}") for name in ("envoy", "kumactl", "settings"))


@pytest.fixture(name="keep")
def fixture_keep(capsys: pytest.CaptureFixture[str]) -> t.Callable[..., dict[str, t.Any]]:
    def run(control: Control, path: Path, **options: t.Any) -> dict[str, t.Any]:
        given = {"api_url": control.url, "path": str(path), **options}
        with patch_module_args(given), pytest.raises(SystemExit):
            kuma_admin_token.main()
        return t.cast("dict[str, t.Any]", json.loads(capsys.readouterr().out))

    return run


def test_the_token_is_waited_for_and_kept_once(tmp_path: Path, keep: t.Callable[..., dict[str, t.Any]]) -> None:
    control, path = Control("--delay", "1"), tmp_path / "admin.token"
    with control.running():
        told = keep(control, path, return_token=True, _ansible_check_mode=True)
        assert (told["changed"], told["token"], path.exists()) == (True, "", False)
        read = keep(control, path, fetch=False, return_token=True)
        assert (read["changed"], read["actions"], read["token"]) == (False, [], "")
        done = keep(control, path, _ansible_diff=True)
        assert done["changed"]
        assert done["actions"] == told["actions"]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        token = path.read_text().strip()
        claims = token.split(".")[1]
        assert json.loads(base64.urlsafe_b64decode(claims + "=="))["Name"] == "mesh-system:admin"
        assert token not in json.dumps(done)
    # The control plane is gone; what is kept is not asked for.
    again = keep(control, path, return_token=True)
    assert (again["changed"], again["token"]) == (False, token)


def test_a_control_plane_that_gives_no_token_is_told_apart(
    tmp_path: Path, keep: t.Callable[..., dict[str, t.Any]]
) -> None:
    control = Control("--no-localhost-admin")
    with control.running():
        assert "localhostIsAdmin is off" in keep(control, tmp_path / "token")["msg"]
    assert "can't be reached" in keep(control, tmp_path / "token", wait_timeout=0)["msg"]
    assert "does not exist: make it first" in keep(control, tmp_path / "none" / "token")["msg"]


def test_the_double_is_packed_to_the_same_bytes() -> None:
    assert pack_kuma.tarball() == pack_kuma.tarball()


def test_every_option_of_the_double_has_a_value_on_hosts(tmp_path: Path) -> None:
    path = tmp_path / "kuma-cp.yml"
    path.write_text("environment: universal\n")
    own = vars(settings.options(settings.load(str(path), {})))
    # Listeners are opened by the program itself.
    listeners = {"admission_port", "diagnostics_port", "https_port", "tls_cert", "tls_key"}
    assert set(vars(double_of_kuma.part("main").options([]))) - listeners == set(own)


def test_settings_come_from_the_file_and_the_environment_wins(tmp_path: Path) -> None:
    path = tmp_path / "kuma-cp.yml"
    path.write_text("store: {type: postgres, postgres: {port: 5432, user: mesh}}\nno_such_key: 1\n")
    values = settings.load(str(path), {"KUMA_STORE_POSTGRES_USER": "other", "KUMA_STORE_POSTGRES_PASSWORD": "p"})
    assert [values[f"store.postgres.{name}"] for name in ("port", "user", "password")] == [5432, "other", "p"]
    assert values["apiServer.authn.localhostIsAdmin"] is True


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mode: bogus\n", "invalid mode. Available modes: standalone, zone, global"),
        ("mode: [\n", "error converting YAML to JSON: yaml:"),
        (None, "please check if the file exists and has the correct permissions"),
    ],
)
def test_settings_that_kuma_refuses(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "kuma-cp.yml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(settings.ConfigError, match=said):
        settings.load(str(path), {})


def test_envoy_gets_a_listener_of_each_inbound_and_outbound() -> None:
    inbound = {"port": 8080, "servicePort": 9080, "protocol": "http"}
    dataplane = {"networking": {"address": "192.0.2.1", "inbound": [inbound]}}
    outbound = {"address": "127.0.0.1", "port": 20080, "protocol": "tcp", "endpoints": [["192.0.2.2", 8080]]}
    found = envoy.resources(dataplane, [outbound], "/run/x")
    assert [one["address"]["socket_address"]["port_value"] for one in found["lds"]] == [8080, 20080]
    assert [one["type"] for one in found["cds"]] == ["STATIC", "EDS"]
    transparent = {"networking": {**dataplane["networking"], "transparentProxying": {"redirectPortInbound": 15006}}}
    virtual = {**outbound, "address": "241.0.0.0", "port": 8080}
    listeners = {one["name"]: one for one in envoy.resources(transparent, [virtual], "/run/x")["lds"]}
    assert listeners["outbound_all"]["use_original_dst"]
    assert not listeners["outbound_241.0.0.0_8080"]["bind_to_port"]


def test_the_rules_of_the_transparent_proxy_leave_ssh_and_envoy_alone() -> None:
    lines = kumactl.rules(998, [22], [5678]).splitlines()
    inbound, outbound = (
        [line for line in lines if line.startswith(f"-A KUMA_MESH_{side} ")] for side in ("INBOUND", "OUTBOUND")
    )
    assert inbound[0] == "-A KUMA_MESH_INBOUND -p tcp --dport 22 -j RETURN"
    assert outbound[:2] == [
        "-A KUMA_MESH_OUTBOUND -p tcp --dport 5678 -j RETURN",
        "-A KUMA_MESH_OUTBOUND -m owner --uid-owner 998 -j RETURN",
    ]
