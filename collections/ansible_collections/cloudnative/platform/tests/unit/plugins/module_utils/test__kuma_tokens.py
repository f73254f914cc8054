# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a token in a file is still good."""

from __future__ import annotations

import base64
import json
import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import tokens
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.client import claims
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KumaError

NOW = 1795348644.0
DAY = 86400.0
#: Recorded claims, by what was asked for.
DATAPLANE = {
    "Name": "dp-1",
    "Mesh": "default",
    "Tags": {},
    "Type": "",
    "Workload": "",
    "exp": 1797940649,
    "jti": "389d68d3",
}
ZONE = {"Zone": "default", "Scope": ["ingress", "egress"], "exp": 1797940649, "jti": "5cbce18b"}
USER = {"Name": "j", "Groups": None, "exp": 1797940649, "jti": "fc62dff3"}


def jwt(content: dict[str, t.Any]) -> str:
    def part(value: t.Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'RS256', 'kid': '1'})}.{part(content)}.c2ln"


def wish(**options: t.Any) -> tokens.Wish:
    names = ("name", "tags", "workload", "proxy_type", "zone", "scope", "groups", "renew_before")
    plain = {"type": "dataplane", "mesh": "default", "valid_for": "720h", **dict.fromkeys(names)}
    return tokens.wish({**plain, **options})


@pytest.mark.parametrize(
    ("found", "wished"),
    [
        (DATAPLANE, wish(name="dp-1")),
        ({**DATAPLANE, "Name": "", "Workload": "backend"}, wish(workload="backend")),
        (
            {**DATAPLANE, "Name": "", "Tags": {"kuma.io/service": ["backend"]}},
            wish(tags={"kuma.io/service": "backend"}),
        ),
        ({**DATAPLANE, "Name": "", "Type": "ingress"}, wish(proxy_type="ingress")),
        (ZONE, wish(type="zone", zone="default", scope=["egress", "ingress"])),
        (USER, wish(type="user", name="j")),
        ({**USER, "Groups": ["b", "a"]}, wish(type="user", name="j", groups=["a", "b"])),
    ],
)
def test_a_token_for_what_is_wished_will_do(found: dict[str, t.Any], wished: tokens.Wish) -> None:
    assert tokens.reason(jwt(found), wished, NOW, ()) is None


@pytest.mark.parametrize(
    ("text", "now", "why"),
    [
        ("", NOW, "there is none"),
        ("not.a.token", NOW, "what is there is no token"),
        (jwt({**DATAPLANE, "Name": "other"}), NOW, "it is for another name"),
        (jwt({**DATAPLANE, "Mesh": "prod"}), NOW, "it is for another mesh"),
        (jwt({**DATAPLANE, "Tags": {"a": ["b"]}}), NOW, "it is for another tags"),
        (jwt({**DATAPLANE, "exp": None}), NOW, "it never expires"),
        (jwt(DATAPLANE), 1797940649.0, "it expired at 2026-12-22T11:57:29Z"),
        (jwt(DATAPLANE), 1797940649 - 9 * DAY, "it expires at 2026-12-22T11:57:29Z"),
    ],
)
def test_why_a_new_one_is_needed(text: str, now: float, why: str) -> None:
    assert tokens.reason(text, wish(name="dp-1"), now, ()) == why


def test_a_revoked_token_is_replaced() -> None:
    assert tokens.reason(jwt(DATAPLANE), wish(name="dp-1"), NOW, {"389d68d3"}) == "it is revoked"


def test_where_revocations_are() -> None:
    assert wish(mesh="m1").revocations == "/meshes/m1/secrets/dataplane-token-revocations-m1"
    assert wish(type="user", name="j").revocations == "/global-secrets/user-token-revocations"


def test_what_is_asked_for() -> None:
    assert wish(name="dp-1", valid_for="30d").body() == {"mesh": "default", "name": "dp-1", "validFor": "720h0m0s"}
    assert wish(tags={"a": "b"}, proxy_type="egress").body()["tags"] == {"a": ["b"]}
    assert wish(proxy_type="egress").body()["type"] == "egress"
    zone = wish(type="zone", zone="z", scope=["cp"])
    assert (zone.path, zone.body()) == ("/tokens/zone", {"zone": "z", "scope": ["cp"], "validFor": "720h0m0s"})


def test_a_third_is_left_by_default() -> None:
    assert wish().renew_before == 10 * DAY
    assert wish(renew_before="1h").renew_before == 3600


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        # Recorded: 0 and negative lengths are accepted, and give a token that has expired.
        ({"valid_for": "0"}, "valid_for '0' is no length of time"),
        ({"valid_for": "-1h"}, "valid_for '-1h' is no length of time"),
        ({"valid_for": "soon"}, "is no length of time, expected one like 720h or 30d"),
        ({"renew_before": "720h"}, "is not less than valid_for 720h"),
        ({"type": "zone", "scope": ["cp"]}, "a token of type zone needs zone"),
        ({"type": "zone", "zone": "z"}, "a token of type zone needs scope"),
        ({"type": "user"}, "a token of type user needs name"),
        ({"type": "user", "name": "j", "workload": "w"}, "workload says nothing in a token of type user"),
    ],
)
def test_options_that_make_no_token(options: dict[str, t.Any], problem: str) -> None:
    with pytest.raises(KumaError, match=problem):
        wish(**options)


@pytest.mark.parametrize("text", ["", "a.b", "a.!!.c", "a.W10.c", "x"])
def test_what_is_no_token_says_nothing(text: str) -> None:
    assert claims(text) == {}
