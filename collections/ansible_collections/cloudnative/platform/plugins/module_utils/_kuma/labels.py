# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What Kubernetes, and Kuma with it, takes as a label. Pure.

In an object a wrong one is refused by the server. In a selector it is taken, and selects nothing.
"""

from __future__ import annotations

import re
import typing as t

_PART = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?\Z")
_DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_LONGEST = 63
_LONGEST_DOMAIN = 253
_FORM = f"at most {_LONGEST} letters, digits, dashes, underscores and dots, with a letter or digit at both ends"


def is_value(text: str) -> bool:
    return not text or (len(text) <= _LONGEST and bool(_PART.match(text)))


def problems(labels: t.Mapping[t.Any, str]) -> t.Iterator[tuple[str, str]]:
    """Key of each wrong label, and what is wrong with it."""
    for key, value in labels.items():
        domain, slash, name = str(key).rpartition("/")
        if slash and not (len(domain) <= _LONGEST_DOMAIN and _DOMAIN.match(domain)):
            yield str(key), f"{domain!r} is no domain, which the key of a label has before its slash"
        elif not isinstance(key, str) or not name or not is_value(name):
            yield str(key), f"{name!r} is no key of a label: it has {_FORM}"
        elif not is_value(value):
            yield key, f"{value!r} is no value of a label: it has {_FORM}"
