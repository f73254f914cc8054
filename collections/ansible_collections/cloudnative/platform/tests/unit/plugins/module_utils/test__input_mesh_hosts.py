# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._input_mesh_hosts import check_mesh_hosts

API = {"name": "api-1", "workload": "api", "inbound": [{"port": 8080, "protocol": "http"}]}
WEB = {"name": "web-1", "workload": "web", "outbound": [{"port": 20080, "service": "api", "service_port": 8080}]}


def dataplanes(*items: dict[str, t.Any], **values: t.Any) -> dict[str, t.Any]:
    return {"kuma_dataplanes": list(items), **values}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, []),
        (dataplanes(API, WEB), []),
        (dataplanes(API, {**API, "inbound": []}), ["kuma_dataplanes[1].name 'api-1': is the name of another one"]),
        (dataplanes(API, {**API, "mesh": "other", "inbound": []}), []),
        (dataplanes({**API, "name": "Api_1"}), ["kuma_dataplanes[0].name 'Api_1': is not a name"]),
        (dataplanes({**API, "workload": "1api"}), ["kuma_dataplanes[0].workload '1api': is not a name"]),
        (dataplanes({**API, "labels": {"team": "{{ team }}"}}), ["kuma_dataplanes[0]: has {{ in it"]),
        (dataplanes({**API, "labels": {"kuma.io/workload": "x"}}), ["is a label that Kuma or the role sets"]),
        (
            dataplanes(API, {**WEB, "outbound": [{"port": 8080}]}),
            ["kuma_dataplanes[1].outbound[0].port 8080: is already taken by kuma_dataplanes[0].inbound[0].port"],
        ),
        (dataplanes(API, {**WEB, "outbound": [{"port": 8080, "address": "127.0.0.9"}]}), []),
        (dataplanes({**API, "inbound": [{"port": 9903}]}), ["is already taken by a data plane itself"]),
        (dataplanes({**API, "inbound": [{"port": 15001}]}), []),
        (
            dataplanes({**API, "inbound": [{"port": 15001}]}, kuma_dataplane_transparent_proxy=True),
            ["is already taken by the transparent proxy"],
        ),
        (
            dataplanes(API, WEB, kuma_dataplane_transparent_proxy=True),
            ["kuma_dataplane_transparent_proxy True: is for one data plane a host"],
        ),
        ({"kuma_dataplane_token_hours": 24, "kuma_dataplane_token_renew_hours": 24}, ["every run would issue a token"]),
        (
            {"kuma_hosts_certificate_days": 30, "kuma_hosts_certificate_renew_days": 31},
            ["every run would issue a certificate"],
        ),
        ({"kuma_hosts_postgres_tls_mode": "verifyFull"}, []),
        (
            {"kuma_hosts_postgres_tls_mode": "verifyFull", "kuma_hosts_postgres_password": "x"},
            ["kuma_hosts_postgres_ca_pem is empty"],
        ),
        ({"kuma_hosts_postgres_password": "one\ntwo"}, ["kuma_hosts_postgres_password: has a line break"]),
        (
            {"kuma_hosts_api_port": 5681, "kuma_hosts_dataplane_port": "5681"},
            ["kuma_hosts_dataplane_port 5681: is already taken by kuma_hosts_api_port"],
        ),
        (
            {"kuma_hosts_settings": {"apiServer": {"authn": {"localhostIsAdmin": True}}}},
            ["kuma_hosts_settings 'apiServer.authn': is set by the role itself"],
        ),
        ({"kuma_hosts_settings": {"apiServer": {"corsAllowedDomains": []}}}, []),
        ({"kuma_hosts_certificate_pem": "x"}, ["is given without kuma_hosts_certificate_key_pem"]),
        (
            {"kuma_hosts_certificate_pem": "x", "kuma_hosts_certificate_key_pem": "y"},
            ["is given without kuma_hosts_ca_pem"],
        ),
        ({"kuma_hosts_ca_pem": "x"}, ["kuma_hosts_ca_pem: is given without kuma_hosts_ca_key_pem"]),
        (
            {
                "kuma_hosts_certificate_pem": "x",
                "kuma_hosts_certificate_key_pem": "y",
                "kuma_hosts_ca_pem": "z",
            },
            [],
        ),
    ],
)
def test_mesh_on_hosts(values: dict[str, t.Any], said: list[str]) -> None:
    sentences = [finding.sentence() for finding in check_mesh_hosts(values, 1_790_000_000)]
    assert len(sentences) == len(said), sentences
    for sentence, part in zip(sentences, said):
        assert part in sentence
