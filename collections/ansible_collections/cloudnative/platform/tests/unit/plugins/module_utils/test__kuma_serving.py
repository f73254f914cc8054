# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates of the control plane for real: with the openssl command that is here."""

from __future__ import annotations

import subprocess
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils import _x509
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import serving
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.control_plane import SERVICE_NAMES
from ansible_collections.cloudnative.platform.plugins.module_utils._openssl import OpenSSL

DAY = _x509.DAY
# Certificates are made while the test runs, and are to be good from the beginning.
NOW = int(time.time()) + 60


class Module:
    """What OpenSSL needs of a module."""

    def __init__(self, directory: Path) -> None:
        self.tmpdir = str(directory)

    def get_bin_path(self, name: str) -> str:
        return f"/usr/bin/{name}"

    def run_command(self, command: list[str], data: str | None = None, **_more: t.Any) -> tuple[int, str, str]:
        done = subprocess.run(command, input=data, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr


class Cluster:
    """Runs one after the other, each with what the one before it has kept."""

    def __init__(self, directory: Path) -> None:
        self.openssl = OpenSSL(t.cast(t.Any, Module(directory)))
        self.directory = str(directory)
        self.authority: dict[str, str] = {}
        self.serving: dict[str, str] = {}

    def run(self, day: int = 0, days: int = 365, before: int = 90) -> serving.Serving:
        maker = serving.Certificates(self.openssl, self.directory, NOW + day * DAY)
        made = maker.kept(self.authority, self.serving, SERVICE_NAMES, days, before)
        self.authority = {"ca.crt": made.authority, "ca.key": made.authority_keys or ""}
        self.serving = {"ca.crt": made.authority, "tls.crt": made.certificate, "tls.key": made.key}
        return made


@pytest.fixture(name="cluster")
def fixture_cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


def test_first_run_makes_and_later_ones_keep(cluster: Cluster) -> None:
    first = cluster.run()
    assert len(first.actions) == 2
    assert cluster.openssl.is_signed_by(first.certificate, first.authority)
    assert cluster.openssl.describe(first.certificate, "").names == set(SERVICE_NAMES)
    second = cluster.run(day=100)
    assert second.actions == []
    assert (second.certificate, second.ca_bundle, second.fingerprint) == (
        first.certificate,
        first.ca_bundle,
        first.fingerprint,
    )


def test_renewed_before_its_end_by_the_same_authority(cluster: Cluster) -> None:
    first = cluster.run(days=30, before=10)
    assert cluster.run(day=15, days=30, before=10).actions == []
    later = cluster.run(days=90, before=60)
    assert later.actions == ["made a certificate for the control plane: it expires in 29 days"]
    assert later.key != first.key
    assert later.fingerprint != first.fingerprint
    assert later.ca_bundle == first.ca_bundle


@pytest.mark.parametrize(
    ("left", "number", "successor"),
    [
        # Days that authorities have left, which one signs what is good for a year, whether there has to be another one.
        ([], -1, True),
        ([3650], 0, False),
        ([731], 0, False),
        ([729], 0, True),
        ([729, 3650], 0, False),
        ([365, 3650], 0, False),
        ([364, 3650], 1, False),
    ],
)
def test_an_authority_is_known_for_a_year_before_it_signs(left: list[int], number: int, successor: bool) -> None:
    known = [
        _x509.Certificate(f"CN={days}", f"CN={days}", 0, NOW + days * DAY, frozenset(), True, "", "") for days in left
    ]
    assert serving.needs_successor(known, NOW, 365) is successor
    assert serving.signer(known, NOW, 365) == number


def test_a_pod_that_keeps_its_authority_for_a_year_trusts_the_control_plane_all_the_time(cluster: Cluster) -> None:
    """Ten years of runs, by a clock that the certificates are not made by: only what is decided counts here."""
    authorities = [cluster.run().authority]
    old = serving.pieces(authorities[0])[0]
    grown = cluster.run(day=3650 - 365 - 100)
    assert serving.pieces(grown.authority)[0] == old
    assert len(serving.pieces(grown.authority)) == 2
    assert len(serving.pieces(grown.authority_keys or "")) == 2
    # The older one signs as long as it outlives what it signs.
    assert cluster.openssl.is_signed_by(grown.certificate, old)


def test_secret_that_lost_a_key_is_not_made_anew_silently(cluster: Cluster) -> None:
    cluster.run()
    cluster.authority["ca.key"] = ""
    with pytest.raises(_x509.CertificateError, match="has 1 certificates and 0 keys; restore it"):
        cluster.run()


def test_given_certificates_are_judged(cluster: Cluster) -> None:
    made = cluster.run()
    other = Cluster(Path(cluster.directory)).run()
    maker = serving.Certificates(cluster.openssl, cluster.directory, NOW)
    given = {"ca": made.authority, "certificate": made.certificate, "key": made.key}
    assert maker.given(given, SERVICE_NAMES).authority_keys is None
    for wrong, names, said in (
        ({"key": other.key}, SERVICE_NAMES, "is not the key of"),
        ({"ca": other.authority}, SERVICE_NAMES, "was not signed by"),
        ({}, (*SERVICE_NAMES, "mesh.example.com"), "is not for mesh.example.com"),
    ):
        with pytest.raises(_x509.CertificateError, match=said):
            maker.given({**given, **wrong}, names)
    late = serving.Certificates(cluster.openssl, cluster.directory, NOW + 400 * DAY)
    with pytest.raises(_x509.CertificateError, match="has expired"):
        late.given(given, SERVICE_NAMES)
