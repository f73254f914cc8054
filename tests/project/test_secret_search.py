"""The search for secrets finds them: what it does not find here, it would not find in a log either."""

from __future__ import annotations

import base64
import json
import subprocess
from urllib.parse import quote

import pytest

from secret_search import Channel, Secret, forms, search

PASSWORD = Secret("pull password", 'p&"7 wörd+/x%41'.encode())
TOKEN = Secret("token", b"0123456789abcdef")


@pytest.mark.parametrize(
    "planted",
    [
        pytest.param(PASSWORD.value, id="as it is"),
        pytest.param(base64.b64encode(PASSWORD.value), id="base64"),
        *(
            pytest.param(base64.b64encode(b"x" * number + PASSWORD.value + b"tail"), id=f"base64 after {number} bytes")
            for number in range(7)
        ),
        pytest.param(quote(PASSWORD.value.decode(), safe="").encode(), id="URL-quoted"),
        pytest.param(json.dumps({"a": PASSWORD.value.decode()}).encode(), id="JSON"),
        pytest.param(json.dumps([PASSWORD.value.decode()], ensure_ascii=False).encode(), id="JSON in UTF-8"),
        pytest.param(repr({"a": PASSWORD.value.decode()}).encode(), id="Python"),
    ],
)
def test_every_shape_is_found(planted):
    leaks = search([TOKEN, PASSWORD], [Channel("clean", b"nothing"), Channel("log", b"before " + planted + b" after")])
    assert [(leak.secret, leak.channel) for leak in leaks] == [("pull password", "log")]
    assert PASSWORD.value.decode() not in str(leaks[0])


@pytest.mark.parametrize(
    "arguments",
    [
        ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        ["ecparam", "-genkey", "-noout", "-name", "prime256v1"],
        ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    ],
    ids=["EC", "EC in its older form", "RSA"],
)
def test_a_private_key_is_found_and_its_public_key_is_no_secret(arguments):
    def openssl(*args, data=None):
        return subprocess.run(["openssl", *args], input=data, capture_output=True, check=True).stdout

    pem = openssl(*arguments)
    secret = Secret("key", pem)
    public = openssl("pkey", "-pubout", data=pem)
    request = openssl("req", "-new", "-subj", "/CN=x", "-key", "/dev/stdin", data=pem)
    for harmless in (public, request, base64.b64encode(public), openssl("pkey", "-pubin", "-text", data=public)):
        assert search([secret], [Channel("x", harmless)]) == []
    one_line = json.dumps({"content": pem.decode()}).encode()
    for planted in (pem, one_line, base64.b64encode(pem), base64.b64encode(b"client-key: " + pem)):
        assert search([secret], [Channel("x", planted)])


def test_what_is_reported_holds_no_other_secret_either():
    leak = search([PASSWORD, TOKEN], [Channel("x", TOKEN.value + b" then " + PASSWORD.value)])[0]
    assert "0123456789abcdef" not in str(leak)
    assert "<SECRET> then <HERE>" in str(leak)


def test_a_secret_that_is_too_short_is_refused():
    with pytest.raises(ValueError, match="too short"):
        forms(b"abc\n")
