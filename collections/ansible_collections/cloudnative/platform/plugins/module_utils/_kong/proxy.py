# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Waits until the proxy side answers as the new configuration says: Kong's workers take it up one after another."""

from __future__ import annotations

import time
import typing as t
from urllib.error import HTTPError, URLError

from ansible.module_utils.urls import open_url

from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import KongError

NO_ROUTE = "no Route matched with those values"
#: One worker that is ready says nothing about the next one; this many good answers in a row do.
IN_A_ROW = 5
_PAUSE = 0.3


def wait(options: t.Mapping[str, t.Any], sleep: t.Callable[[float], None] = time.sleep) -> None:
    """Raises `KongError` with the last answer when it does not come in time."""
    ends = time.monotonic() + options["timeout"]
    good = 0
    while True:
        status, text = ask(options)
        good = good + 1 if is_good(status, text, options["status"] or []) else 0
        if good >= IN_A_ROW:
            return
        if time.monotonic() > ends:
            wanted = f"status {' or '.join(map(str, options['status']))}" if options["status"] else "a route"
            raise KongError(
                f"the configuration is there, but {options['url']} did not answer with {wanted} within "
                f"{options['timeout']} s; the last answer was {status or 'none'}: {text[:200]}"
            )
        if not good:
            sleep(_PAUSE)


def is_good(status: int, text: str, wanted: t.Sequence[int]) -> bool:
    """Pure. Without a wish, everything is good but no answer and the one for a route that is not there yet."""
    if wanted:
        return status in wanted
    return status > 0 and not (status == 404 and NO_ROUTE in text)


def ask(options: t.Mapping[str, t.Any]) -> tuple[int, str]:
    try:
        with open_url(
            options["url"],
            method=options["method"],
            headers={str(name): str(value) for name, value in (options["headers"] or {}).items()},
            timeout=5,
            validate_certs=options["validate_certs"],
            ca_path=options["ca_cert"],
            use_proxy=False,
            follow_redirects="none",
        ) as answer:
            return answer.status, answer.read(1000).decode("utf-8", "replace")
    except HTTPError as e:
        with e:
            return e.code, e.read(1000).decode("utf-8", "replace")
    except URLError as e:
        return 0, str(e.reason)
    except OSError as e:
        return 0, str(e)
