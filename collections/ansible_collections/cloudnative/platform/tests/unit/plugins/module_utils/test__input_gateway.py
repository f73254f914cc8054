# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import typing as t

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.cloudnative.platform.plugins.module_utils._input_gateway import (
    check_gateway,
    check_gateway_on_hosts,
)


def pair(name: str) -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    begin = datetime.datetime(2026, 1, 1)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 1, begin, begin.replace(year=2036))
    form = serialization.Encoding.PEM
    text = key.private_bytes(form, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return builder.sign(key, hashes.SHA256()).public_bytes(form).decode(), text.decode()


CERTIFICATE, KEY = pair("shop.example.com")
OTHER_KEY = pair("other.example.com")[1]
SHOP = {"names": ["shop.example.com"], "certificate": CERTIFICATE, "key": KEY}
LICENCE = '{"license": {"version": 1, "signature": "abc"}}'
GATEWAY = {"kong_component": "kong-gateway"}
KONNECT = {"control_plane": "a.eu.cp.konghq.com", "telemetry": "a.eu.tp.konghq.com", "certificate": "x", "key": "y"}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, []),
        ({"kong_edition": "oss"}, []),
        ({"kong_edition": "enterprise", "kong_licence": LICENCE, **GATEWAY}, []),
        # Older ansible-core makes a dictionary of a text that looks like one.
        ({"kong_edition": "enterprise", "kong_licence": {"license": {}}, **GATEWAY}, []),
        ({"kong_edition": "enterprise", **GATEWAY}, ["kong_edition 'enterprise': starts read-only"]),
        ({"kong_edition": "enterprise", "kong_licence": LICENCE}, ["kong_component 'kong': is the image of the open"]),
        ({"kong_edition": "enterprise", "kong_licence": "x", **GATEWAY}, ["kong_licence: is no licence of Kong"]),
        ({"kong_edition": "enterprise", "kong_licence": "[]", **GATEWAY}, ["kong_licence: is no licence of Kong"]),
        ({"kong_edition": "konnect", "kong_konnect": KONNECT, **GATEWAY}, []),
        ({"kong_edition": "konnect", **GATEWAY}, ["has no certificate, control_plane, key, telemetry"]),
        ({"kong_edition": "konnect", "kong_konnect": {**KONNECT, "key": ""}, **GATEWAY}, ["kong_konnect has no key;"]),
        (
            {"kong_edition": "konnect", "kong_konnect": KONNECT, "kong_configuration": {"services": []}, **GATEWAY},
            ["kong_configuration: is not used with kong_edition konnect"],
        ),
        ({"kong_exposure": "hostPort"}, ["kong_exposure 'hostPort': is for one pod a node"]),
        ({"kong_exposure": "hostPort", "kong_workload": "DaemonSet"}, []),
        ({"kong_autoscaling_max": 6, "kong_workload": "DaemonSet"}, ["kong_autoscaling_max 6: is for a Deployment"]),
        ({"kong_autoscaling_max": 2, "kong_replicas": 3}, ["kong_autoscaling_max 2: is less than kong_replicas, 3"]),
        ({"kong_autoscaling_max": 3, "kong_replicas": 3}, []),
        ({"kong_settings": {"log_level": "debug"}}, []),
        ({"kong_settings": {"KONG_ADMIN_LISTEN": "0.0.0.0:8001"}}, ["'KONG_ADMIN_LISTEN': is set by the role itself"]),
        ({"kong_certificates": [SHOP]}, []),
        ({"kong_certificates": [{**SHOP, "key": ""}]}, ["kong_certificates[0]: has no key"]),
        ({"kong_certificates": [{"names": ["shop.example.com"]}]}, []),
        ({"kong_certificates": [{"names": []}]}, ["kong_certificates[0]: has no names"]),
        ({"kong_certificates": [{"names": ["a"], "key": ""}]}, ["kong_certificates[0]: has no certificate, key"]),
        (
            {"kong_certificates": [SHOP, {"names": SHOP["names"]}]},
            ["kong_certificates[1].names 'shop.example.com': is a host that another"],
        ),
        (
            {"kong_certificate_days": 30, "kong_certificate_renew_days": 30},
            ["kong_certificate_renew_days 30: is not less than kong_certificate_days, 30"],
        ),
        (
            {"kong_configuration": {"plugins": [{"name": "cors"}, {"name": "prometheus"}]}},
            ["kong_configuration.plugins[1] 'prometheus': is the plugin that kong_prometheus adds"],
        ),
        ({"kong_configuration": {"plugins": [{"name": "prometheus"}]}, "kong_prometheus": False}, []),
        ({"kong_configuration": {"plugins": [{"name": "prometheus", "service": "shop"}]}}, []),
        ({"kong_certificates": [{**SHOP, "key": OTHER_KEY}]}, ["kong_certificates[0].key: is not the key of the"]),
        ({"kong_certificates": [{**SHOP, "certificate": "x"}]}, ["kong_certificates[0].certificate: is not a certif"]),
        ({"kong_certificates": [{**SHOP, "key": CERTIFICATE}]}, ["kong_certificates[0].key: is not a private key"]),
        (
            {"kong_certificates": [SHOP, SHOP]},
            ["kong_certificates[1].names 'shop.example.com': is a host that another"],
        ),
    ],
)
def test_what_the_gateway_is_told_together(values: dict[str, t.Any], said: list[str]) -> None:
    found = [finding.sentence() for finding in check_gateway(values)]
    assert len(found) == len(said)
    assert all(part in sentence for part, sentence in zip(said, found))
    secrets = [KEY.splitlines()[1], OTHER_KEY.splitlines()[1], CERTIFICATE.splitlines()[1], "signature"]
    assert not any(secret in sentence for secret in secrets for sentence in found)


DATABASE = {"host": "db.internal", "password": "secret-of-the-database"}
URL = "https://packages.example.org/kong_3.9.3_amd64.deb"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"kong_database": DATABASE}, []),
        ({"kong_database": DATABASE, "kong_package": "/srv/kong_3.9.3_amd64.deb"}, []),
        ({"kong_database": DATABASE, "kong_package": URL, "kong_package_checksum": "a" * 64}, []),
        ({"kong_database": DATABASE, "kong_package": URL}, ["kong_package_checksum does not say what it has to be"]),
        ({"kong_database": DATABASE, "kong_package": "/srv/kong-3.9.3.el9.rpm"}, ["is no Debian package"]),
        ({"kong_package": "/srv/kong_3.9.3_amd64.deb"}, ["kong_database: is empty"]),
        (
            {"kong_database": {**DATABASE, "host": "", "password": ""}},
            ["database.host: is miss", "password: is missing"],
        ),
        (
            {"kong_database": {**DATABASE, "ssl": False, "ca": CERTIFICATE}},
            ["kong_database.ca: has no meaning without encryption"],
        ),
        (
            {"kong_database": DATABASE, "kong_settings": {"pg_host": "other", "log_level": "info"}},
            ["kong_settings 'pg_host': is what kong_database says"],
        ),
        (
            {"kong_database": DATABASE, "kong_settings": {"admin_listen": "0.0.0.0:8001"}},
            ["kong_settings 'admin_listen': is set by the role"],
        ),
        (
            {"kong_database": DATABASE, "kong_edition": "enterprise", "kong_package": "/srv/kong_3.9.3_amd64.deb"},
            ["is the open edition, and kong_edition is enterprise", "starts read-only"],
        ),
        (
            {"kong_database": DATABASE, "kong_package": "/srv/kong-enterprise-edition_3.14.0.1_amd64.deb"},
            ["is the enterprise edition, and kong_edition is oss"],
        ),
        ({"kong_database": DATABASE, "kong_edition": "konnect", "kong_konnect": KONNECT}, ["which has no database"]),
        (
            {"kong_edition": "konnect", "kong_package": "/srv/kong-enterprise-edition_3.14.0.1_amd64.deb"},
            ["has no certificate, control_plane, key, telemetry"],
        ),
    ],
)
def test_gateways_on_hosts(values, said):
    found = [finding.sentence() for finding in check_gateway_on_hosts(values)]
    assert len(found) == len(said), found
    for text, finding in zip(said, found):
        assert text in finding
        assert "secret-of-the-database" not in finding
