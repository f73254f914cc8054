# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The authority and the keys for real: the modules run as Ansible runs them, with the openssl command that is here."""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

COLLECTIONS = pathlib.Path(__file__).parents[7]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the files these modules keep belong to root")


def run(name, check=False, **options):
    """Runs a module in a process of its own and returns its result."""
    arguments = {**options, "_ansible_check_mode": check, "_ansible_diff": True}
    done = subprocess.run(
        [sys.executable, "-m", f"ansible_collections.cloudnative.platform.plugins.modules.{name}"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
    )
    assert "Traceback" not in done.stderr, done.stderr
    return json.loads(done.stdout)


class Site:
    """One host that keeps an authority and a key."""

    def __init__(self, path):
        self.path = path
        self.certificate_path = path / "server.crt"

    def secrets(self, check=False, **options):
        key = {
            "name": "registry",
            "path": str(self.path / "keys" / "server.key"),
            "certificate_path": str(self.certificate_path),
            "common_name": "registry",
            "names": ["10.0.0.5", "registry.example"],
        }
        return run("host_secrets", check, keys=[key], **options)

    def authority(self, check=False, names=None, **options):
        request = self.secrets()["requests"]["registry"]
        wanted = {
            "name": "one",
            "csr": request["csr"],
            "certificate": request["certificate"],
            "names": names or request["names"],
        }
        return run("pki_authority", check, path=str(self.path / "pki"), requests=[wanted], **options)

    def issue(self, **options):
        result = self.authority(**options)
        assert "msg" not in result, result["msg"]
        self.certificate_path.write_text(result["certificates"]["one"])
        return result


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def given_authority(days=100, authority=True):
    """Certificate and key of an authority that somebody else made."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "their authority")])
    now = datetime.datetime.now(datetime.timezone.utc)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=200))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {"certificate": built.public_bytes(serialization.Encoding.PEM).decode(), "private_key": pem.decode()}


def test_passwords_are_made_once_and_read_back(site):
    password = {"name": "push", "path": str(site.path / "secrets" / "push")}
    first = run("host_secrets", passwords=[password])
    assert first["changed"]
    assert len(first["passwords"]["push"]) == 40
    assert (site.path / "secrets" / "push").stat().st_mode & 0o777 == 0o600
    assert (site.path / "secrets").stat().st_mode & 0o777 == 0o700
    again = run("host_secrets", passwords=[password])
    assert not again["changed"]
    assert again["passwords"] == first["passwords"]
    assert first["passwords"]["push"] not in json.dumps(first["diff"])


def test_loose_permissions_of_a_password_are_repaired(site):
    path = site.path / "secrets" / "push"
    path.parent.mkdir()
    path.write_text("a password by hand")
    path.chmod(0o644)
    result = run("host_secrets", passwords=[{"name": "push", "path": str(path)}])
    assert result["passwords"]["push"] == "a password by hand"
    assert result["actions"] == [f"change {path}: mode 0644 to 0600"]
    assert path.read_text() == "a password by hand"


@pytest.mark.parametrize(("content", "length", "words"), [("", 40, "is empty"), (None, 8, "too short")])
def test_password_that_would_protect_nothing(site, content, length, words):
    path = site.path / "push"
    if content is not None:
        path.write_text(content)
    assert words in run("host_secrets", passwords=[{"name": "push", "path": str(path), "length": length}])["msg"]


def test_check_mode_makes_nothing(site):
    result = site.secrets(check=True, passwords=[{"name": "push", "path": str(site.path / "secrets" / "push")}])
    assert result["changed"]
    assert result["requests"]["registry"]["csr"] == ""
    authority = run("pki_authority", check=True, path=str(site.path / "pki"))
    assert authority["changed"]
    assert authority["ca_pem"] == ""
    assert list(site.path.iterdir()) == []


def test_certificate_is_issued_once(site):
    first = site.issue()
    assert first["changed"]
    assert first["actions"][-1] == "issue the certificate of one: there is no certificate yet"
    certificate = x509.load_pem_x509_certificate(first["certificates"]["one"].encode())
    authority = x509.load_pem_x509_certificate(first["ca_pem"].encode())
    certificate.verify_directly_issued_by(authority)
    assert isinstance(authority.public_key(), ec.EllipticCurvePublicKey)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == ["10.0.0.5", "registry.example"]
    again = site.issue()
    assert not again["changed"]
    assert again["certificates"] == first["certificates"]
    assert "PRIVATE KEY" not in json.dumps([first, again, site.secrets()])


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"names": ["10.0.0.5", "new.example"]}, "its names change: new.example added, registry.example removed"),
        ({"certificate_days": 500, "renew_before_days": 400}, r"it expires in 36[45] days"),
        (given_authority(), "it was signed by another authority"),
    ],
)
def test_certificate_is_renewed(site, options, reason):
    first = site.issue()
    predicted = site.authority(check=True, **options)
    assert predicted["certificates"] == {"one": "(a certificate that this run would issue)\n"}
    assert predicted["diff"][-1]["before_header"] == "certificate of one"
    result = site.issue(**options)
    for actions in (predicted["actions"], result["actions"]):
        assert re.fullmatch(f"issue the certificate of one: {reason}", actions[-1])
    assert result["certificates"] != first["certificates"]


def test_new_key_gets_a_new_certificate(site):
    site.issue()
    (site.path / "keys" / "server.key").unlink()
    assert site.issue()["actions"] == ["issue the certificate of one: it belongs to another key"]


def test_authority_made_half_way_is_finished(site):
    site.issue()
    key = (site.path / "pki" / "ca.key").read_text()
    (site.path / "pki" / "ca.crt").unlink()
    # The key is there, so what is signed with it can be told apart before the certificate is.
    predicted = site.authority(check=True)
    assert "BEGIN CERTIFICATE" in predicted["ca_pem"]
    assert not (site.path / "pki" / "ca.crt").exists()
    assert site.issue()["actions"][0] == predicted["actions"][0] == f"create {site.path}/pki/ca.crt (mode 0644)"
    assert (site.path / "pki" / "ca.key").read_text() == key


def test_given_authority_is_kept_and_used(site):
    given = given_authority()
    first = site.issue(**given)
    assert first["ca_pem"] == given["certificate"]
    assert (site.path / "pki" / "ca.key").stat().st_mode & 0o777 == 0o600
    assert not site.issue(**given)["changed"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (given_authority(days=-3), "their authority) expired 3 days ago"),
        (given_authority(authority=False), "is not a certificate authority"),
        ({**given_authority(), "private_key": given_authority()["private_key"]}, "does not belong to the private key"),
        ({**given_authority(), "private_key": "nonsense"}, "is not a private key without passphrase"),
        ({**given_authority(), "certificate": "nonsense"}, "is not a certificate"),
    ],
)
def test_given_authority_that_cannot_sign_is_refused(site, given, words):
    result = site.authority(**given)
    assert result["failed"]
    assert words in result["msg"]
    assert not (site.path / "pki").exists()


def test_authority_without_its_key_is_not_replaced_silently(site):
    site.issue()
    (site.path / "pki" / "ca.key").unlink()
    assert "has lost its private key" in site.authority()["msg"]


def test_authority_that_ends_soon_is_told(site):
    result = site.authority(**given_authority(days=10))
    assert re.search("expires in (9|10) days", json.dumps(result["warnings"]))


def test_foreign_request_is_refused(site):
    request = {"name": "one", "csr": "nonsense", "names": ["a.example"]}
    result = run("pki_authority", path=str(site.path / "pki"), requests=[request])
    assert "the signing request of one is not good" in result["msg"]


def test_settings_that_would_renew_for_ever_are_refused(site):
    assert "must be more than renew_before_days" in site.authority(certificate_days=30)["msg"]
