# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pages: sizes, offsets, links to the next one."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

from . import errors

# Status and body of an answer.
Result = tuple[int, Any]


def page_size(size: str | None) -> int:
    if size is None:
        return 100
    try:
        number = float(size)
    except ValueError:
        raise errors.invalid_size("size must be a number") from None
    if number != int(number) or not 1 <= number <= 1000:
        raise errors.invalid_size("size must be an integer between 1 and 1000")
    return int(number)


def encode_offset(values: list) -> str:
    return base64.urlsafe_b64encode(json.dumps(values, separators=(",", ":")).encode()).decode().rstrip("=")


def decode_offset(offset: str) -> list | None:
    try:
        decoded = json.loads(base64.urlsafe_b64decode(offset + "=" * (-len(offset) % 4)))
    except ValueError:
        return None
    return decoded if isinstance(decoded, list) and decoded else None


def next_link(path: str, offset: str | None, extra: str = "") -> str | None:
    return None if offset is None else f"{path}?offset={quote(offset, safe='')}{extra}"


def listing(rows: list, offset: str | None, link: str | None) -> Result:
    body: dict[str, Any] = {"data": rows, "next": link}
    if offset is not None:
        body["offset"] = offset
    return 200, body


def tag_page(rows: list[tuple[str, str, str, int]], size: int, after: list | None) -> tuple[list, str | None]:
    """A page of /tags: (entity id, entity name, tag, position of the tag) behind an offset."""
    if after is not None:
        start = (str(after[0]), int(after[1]) if len(after) > 1 else 1 << 30)
        rows = [row for row in rows if (row[0], row[3]) > start]
    page = rows[:size]
    offset = encode_offset([page[-1][0], page[-1][3]]) if len(rows) > size else None
    return page, offset
