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

from ansible_collections.cloudnative.platform.plugins.module_utils._input_addons import check_addons
from ansible_collections.cloudnative.platform.plugins.module_utils._input_mesh import check_mesh
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.control_plane import SERVICE_NAMES


def given(*names: str) -> dict[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mesh")])
    begin = datetime.datetime(2026, 1, 1)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 1, begin, begin.replace(year=2036))
    alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    form = serialization.Encoding.PEM
    certificate = builder.add_extension(alternatives, critical=False).sign(key, hashes.SHA256()).public_bytes(form)
    text = key.private_bytes(form, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {"ca": certificate.decode(), "certificate": certificate.decode(), "key": text.decode()}


GOOD = given(*SERVICE_NAMES)
IMAGES = {"control_plane": "a", "data_plane": "b", "init": "c", "cni": "d"}
WEB = {"namespace": "shop", "service_account": "web"}
API = {"namespace": "shop", "service_account": "api"}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, []),
        ({"kuma_autoscaling_max": 5, "kuma_replicas": 2}, []),
        ({"kuma_autoscaling_max": 2, "kuma_replicas": 3}, ["kuma_autoscaling_max 2: is less than kuma_replicas, 3"]),
        ({"kuma_settings": {"KUMA_GENERAL_DNS_CACHE_TTL": "10s"}}, []),
        (
            {"kuma_settings": {"KUMA_STORE_TYPE": "memory"}},
            ["kuma_settings 'KUMA_STORE_TYPE': is set by the role itself"],
        ),
        ({"kuma_settings": {"log_level": "debug"}}, ["kuma_settings 'log_level': is no setting"]),
        ({"kuma_images": IMAGES}, []),
        ({"kuma_images": {"control_plane": "a"}}, ["kuma_images: has no cni, data_plane, init"]),
        ({"kuma_redirection": "cni"}, []),
        ({"kuma_redirection": "cni", "network_plugin": "none"}, ["kuma_redirection 'cni': is chained behind calico"]),
        ({"kuma_redirection": "cni", "network_plugin": "none", "kuma_network_plugin": "calico"}, []),
        ({"kuma_network_policies": True, "network_plugin": "flannel"}, ["kuma_network_policies True: needs a network"]),
        ({"kuma_namespaces": ["shop"]}, []),
        (
            {"kuma_namespaces": ["shop", "kube-system"]},
            ["kuma_namespaces 'kube-system': is a namespace whose pods never"],
        ),
        ({"kuma_namespaces": ["kuma-system"]}, ["kuma_namespaces 'kuma-system': is a namespace whose pods never"]),
        ({"kuma_certificate_days": 30, "kuma_certificate_renew_before_days": 10}, []),
        (
            {"kuma_certificate_days": 30},
            ["kuma_certificate_renew_before_days 90: would renew a certificate of 30 days"],
        ),
        ({"kuma_certificate_renew_before_days": 365}, ["would renew a certificate of 365 days with every run"]),
        ({"kuma_certificate": GOOD}, []),
        ({"kuma_certificate": {**GOOD, "key": ""}}, ["kuma_certificate: has no key; give"]),
        ({"kuma_certificate": {**GOOD, "key": given("x")["key"]}}, ["kuma_certificate.key: is not the key of"]),
        ({"kuma_certificate": {**GOOD, "certificate": "x"}}, ["kuma_certificate.certificate: is not a certificate"]),
        ({"kuma_certificate": given("kuma-control-plane")}, ["is not for kuma-control-plane.kuma-system, "]),
        ({"kuma_call_graph": "calls.yml"}, []),
        ({"kuma_call_graph": {"services": {"web": WEB, "api": API}, "calls": {"web": ["api"]}}}, []),
        ({"kuma_call_graph": {"services": {"web": WEB}, "calls": {"web": ["api"]}}}, ["kuma_call_graph: ", "api"]),
    ],
)
def test_what_the_variables_of_the_mesh_say_together(values: dict[str, t.Any], said: list[str]) -> None:
    found = [finding.sentence() for finding in check_mesh(values)]
    text = "\n".join(found)
    assert all(one in text for one in said)
    assert bool(found) is bool(said)
    assert "PRIVATE KEY" not in text


def test_mesh_is_judged_where_it_is_wanted() -> None:
    wrong = {"kuma_certificate_days": 30}
    assert list(check_addons(wrong, None)) == []
    assert len(check_addons({**wrong, "platform_addons": ["kuma"]}, None)) == 1
