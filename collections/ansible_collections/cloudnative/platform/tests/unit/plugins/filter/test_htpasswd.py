# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import bcrypt
import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.cloudnative.platform.plugins.filter.htpasswd import htpasswd

USERS = {"push": "one password", "pull": "another"}


def test_hashes_are_good_and_stay_the_same():
    text = htpasswd(USERS, "seed")
    assert htpasswd(dict(reversed(USERS.items())), "seed") == text
    entries = dict(line.split(":", 1) for line in text.splitlines())
    assert sorted(entries) == ["pull", "push"]
    for user, password in USERS.items():
        assert entries[user].startswith("$2b$05$")
        assert bcrypt.checkpw(password.encode(), entries[user].encode())
        assert not bcrypt.checkpw(b"wrong", entries[user].encode())


@pytest.mark.parametrize(("users", "seed"), [({"push": "other", "pull": "another"}, "seed"), (USERS, "other seed")])
def test_hashes_follow_password_and_seed(users, seed):
    assert htpasswd(users, seed) != htpasswd(USERS, "seed")


def test_users_with_the_same_password_have_different_hashes():
    one, two = htpasswd({"a": "same", "b": "same"}, "seed").splitlines()
    assert one.split(":")[1] != two.split(":")[1]


@pytest.mark.parametrize(
    ("users", "seed", "words"),
    [
        ({"a": "x"}, "", "seed that is not empty"),
        ({"a:b": "x"}, "s", "user name 'a:b'"),
        ({"": "x"}, "s", "user name ''"),
        ({"a": ""}, "s", "password of user 'a' has 0 bytes"),
        ({"a": "x" * 73}, "s", "password of user 'a' has 73 bytes"),
    ],
)
def test_wrong_input_is_named(users, seed, words):
    with pytest.raises(AnsibleFilterError, match=words):
        htpasswd(users, seed)
