# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A reader for the YAML that declarative configurations are written in; the double has no library to ask.

Block and flow collections, plain, quoted, literal and folded scalars, comments, anchors and aliases; one document.
Tags, complex keys and directives are refused.
"""

from __future__ import annotations

import re
from typing import Any

_INT = re.compile(r"^[-+]?(0|[1-9][0-9_]*)\Z")
_FLOAT = re.compile(r"^[-+]?(\d[\d_]*)?\.?\d+([eE][-+]?\d+)?\Z|^[-+]?\d+\.\Z")
_TRUE = {"true", "yes", "on"}
_FALSE = {"false", "no", "off"}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "e": "\x1b", "a": "\a", "f": "\f", "v": "\v"}
_HEX = {"x": 2, "u": 4, "U": 8}


class YamlError(Exception):
    """The text is not YAML that this reader knows; the message starts with line:column as libyaml's does."""


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.anchors: dict[str, Any] = {}

    # Positions

    def fail(self, problem: str, at: int | None = None) -> YamlError:
        at = self.at if at is None else at
        line = self.text.count("\n", 0, at) + 1
        column = at - (self.text.rfind("\n", 0, at) + 1) + 1
        return YamlError(f"{line}:{column}: {problem}")

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def column(self) -> int:
        return self.at - (self.text.rfind("\n", 0, self.at) + 1)

    def skip(self) -> None:
        """Pass over white space, comments and line ends."""
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == "#" and (self.at == 0 or self.text[self.at - 1] in " \t\n"):
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif char in " \t\r\n":
                self.at += 1
            else:
                return

    def skip_inline(self) -> bool:
        """Pass over what may follow on a line; True where the line ends there."""
        while self.peek() in (" ", "\t"):
            self.at += 1
        if self.peek() == "#" and self.text[self.at - 1] in " \t":
            end = self.text.find("\n", self.at)
            self.at = len(self.text) if end < 0 else end
        return self.peek() in ("", "\n", "\r")

    # Documents and nodes

    def document(self) -> Any:
        self.skip()
        if self.text.startswith("---", self.at):
            self.at += 3
        value = self.node(-1)
        self.skip()
        if self.text.startswith(("...", "---"), self.at):
            return value
        if self.at < len(self.text):
            raise self.fail("did not find expected <document start>")
        return value

    def node(self, indent: int) -> Any:
        """A value whose block is indented deeper than `indent`."""
        self.skip()
        if self.at >= len(self.text) or self.column() <= indent:
            return None
        char = self.peek()
        if char == "&":
            name = self.word()
            value = self.node(indent)
            self.anchors[name] = value
            return value
        if char == "*":
            return self.alias()
        if char in "!?%@`" and (char != "?" or self.text[self.at + 1 : self.at + 2] in (" ", "\n")):
            raise self.fail("found a construct this reader does not know")
        if char in "|>":
            return self.block_scalar(indent)
        if self.is_dash():
            return self.block_list(self.column())
        start = self.at
        key = self.key()
        if key is not None:
            self.at = start
            return self.block_map(self.column())
        if char in "[{":
            return self.flow()
        return self.quoted() if char in "\"'" else plain(self.plain(indent))

    def word(self) -> str:
        match = re.compile(r"[&*]([^\s,\[\]{}]+)").match(self.text, self.at)
        if not match:
            raise self.fail("did not find expected alphabetic or numeric character")
        self.at = match.end()
        return match.group(1)

    def alias(self) -> Any:
        start, name = self.at, self.word()
        if name not in self.anchors:
            raise self.fail(f"invalid reference: {name}", start)
        return self.anchors[name]

    def is_dash(self) -> bool:
        return self.peek() == "-" and self.text[self.at + 1 : self.at + 2] in ("", " ", "\n", "\r", "\t")

    def key(self) -> str | None:
        """The key of a block mapping that starts here, the position moved behind its colon; None where none does."""
        start = self.at
        if self.peek() in ("'", '"'):
            key = self.quoted()
            self.skip_inline()
        else:
            match = re.compile(r"(?![\[{#|>@`%!])[^\n#]*?(?=\s*:(?:[ \t\r\n]|\Z))").match(self.text, self.at)
            if not match or not match.group():
                return None
            key = match.group()
            self.at = match.end()
            self.skip_inline()
        if self.peek() != ":" or self.text[self.at + 1 : self.at + 2] not in ("", " ", "\n", "\t", "\r"):
            self.at = start
            return None
        self.at += 1
        return key

    def block_map(self, column: int) -> dict[str, Any]:
        out: dict[str, Any] = {}
        while True:
            key = self.key()
            if key is None:
                raise self.fail("could not find expected ':'")
            value_follows = not self.skip_inline()
            if value_follows:
                out[key] = self.node(column)
            else:
                self.skip()
                # A list may stand at the column of its key.
                deeper = self.at < len(self.text) and (
                    self.column() > column or (self.column() == column and self.is_dash())
                )
                out[key] = self.node(column - 1 if self.is_dash() else column) if deeper else None
            self.skip()
            if self.at >= len(self.text) or self.column() < column or self.is_dash():
                return out
            if self.column() > column:
                raise self.fail("did not find expected key")
            if self.text.startswith(("---", "..."), self.at) and column == 0:
                return out

    def block_list(self, column: int) -> list[Any]:
        out: list[Any] = []
        while self.is_dash() and self.column() == column:
            self.at += 1
            if self.skip_inline():
                self.skip()
                deeper = self.at < len(self.text) and self.column() > column
                out.append(self.node(column) if deeper else None)
            else:
                out.append(self.node(column))
            self.skip()
        if self.at < len(self.text) and self.column() > column:
            raise self.fail("did not find expected '-' indicator")
        return out

    # Flow collections

    def flow(self) -> Any:
        char = self.peek()
        if char == "{":
            return self.flow_map()
        if char == "[":
            self.at += 1
            items: list[Any] = []
            while not self.closes("]"):
                items.append(self.flow())
                self.separator("]")
            return items
        if char == "*":
            return self.alias()
        if char in ("'", '"'):
            return self.quoted()
        return plain(self.flow_plain())

    def flow_map(self) -> dict[str, Any]:
        self.at += 1
        out: dict[str, Any] = {}
        while not self.closes("}"):
            key = self.quoted() if self.peek() in ("'", '"') else self.flow_plain()
            self.skip()
            if self.peek() == ":":
                self.at += 1
                self.skip()
                out[key] = None if self.peek() in (",", "}") else self.flow()
            else:
                out[key] = None
            self.separator("}")
        return out

    def closes(self, end: str) -> bool:
        self.skip()
        if self.peek() == end:
            self.at += 1
            return True
        return False

    def separator(self, end: str) -> None:
        before = self.at
        self.skip()
        if self.peek() == ",":
            self.at += 1
        elif self.peek() != end:
            problem = f"did not find expected ',' or '{end}'"
            if self.at < len(self.text):
                raise self.fail(problem)
            # libyaml names the line behind the text where the collection is the document, else the last token.
            if self.text.lstrip()[:1] in "[{":
                raise YamlError(f"{self.text.count(chr(10)) + 2}:1: {problem}")
            raise self.fail(problem, max(before - 1, 0))

    def flow_plain(self) -> str:
        match = re.compile(r"(?:[^,\[\]{}:#\n]|:(?![\s,\[\]{}]|\Z)|(?<!\s)#)+").match(self.text, self.at)
        if not match:
            raise self.fail("did not find expected node content")
        self.at = match.end()
        return match.group().strip()

    # Scalars

    def plain(self, indent: int) -> str:
        """A plain scalar, with the lines that continue it."""
        parts: list[str] = []
        while True:
            match = re.compile(r"[^\n]*?(?=\s+#|\s*(?:\n|\Z))").match(self.text, self.at)
            part = match.group() if match else ""
            self.at += len(part)
            parts.append(part.strip())
            if re.search(r":(\s|\Z)", part):
                raise self.fail("mapping values are not allowed in this context")
            mark = self.at
            self.skip()
            if self.at >= len(self.text) or self.column() <= max(indent, -1) or self.is_dash():
                break
            start = self.at
            if self.key() is not None or "#" in self.text[mark:start] or "\n" not in self.text[mark:start]:
                self.at = mark
                break
            self.at = start
        return " ".join(part for part in parts if part)

    def quoted(self) -> str:
        quote, start = self.peek(), self.at
        self.at += 1
        out: list[str] = []
        while True:
            char = self.peek()
            if not char:
                raise self.fail("found unexpected end of stream", start)
            self.at += 1
            if char == quote:
                if quote == "'" and self.peek() == "'":
                    out.append("'")
                    self.at += 1
                    continue
                return "".join(out)
            if char == "\\" and quote == '"':
                out.append(self.escape())
            elif char == "\n":
                blank = re.compile(r"[ \t]*\n").match(self.text, self.at)
                while out and out[-1] in " \t":
                    out.pop()
                out.append("\n" if blank else " ")
                self.at = blank.end() if blank else self.at
                while self.peek() in (" ", "\t"):
                    self.at += 1
            else:
                out.append(char)

    def escape(self) -> str:
        char = self.peek()
        self.at += 1
        if char in _HEX:
            digits = self.text[self.at : self.at + _HEX[char]]
            self.at += _HEX[char]
            code = int(digits, 16)
            if 0xD800 <= code < 0xDC00 and self.text.startswith("\\u", self.at):
                low = int(self.text[self.at + 2 : self.at + 6], 16)
                self.at += 6
                code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
            return chr(code)
        if char == "\n":
            while self.peek() in (" ", "\t"):
                self.at += 1
            return ""
        return _ESCAPES.get(char, char)

    def block_scalar(self, indent: int) -> str:
        header = re.compile(r"([|>])([-+]?)(\d?)([-+]?)[ \t]*(?:#[^\n]*)?(?:\n|\Z)").match(self.text, self.at)
        if not header:
            raise self.fail("did not find expected comment or line break")
        self.at = header.end()
        chomp = header.group(2) or header.group(4)
        width = max(indent, 0) + int(header.group(3)) if header.group(3) else 0
        lines: list[str] = []
        while self.at < len(self.text):
            end = self.text.find("\n", self.at)
            line = self.text[self.at : len(self.text) if end < 0 else end]
            stripped = line.lstrip(" ")
            if stripped:
                own = len(line) - len(stripped)
                width = width or own
                if own < width or own <= indent:
                    break
            lines.append(line[width:])
            self.at = len(self.text) if end < 0 else end + 1
        body = lines[:]
        while body and not body[-1].strip():
            body.pop()
        trailing = len(lines) - len(body)
        text = re.sub(r"(?<![\n])\n(?=[^\s])", " ", "\n".join(body)) if header.group(1) == ">" else "\n".join(body)
        if chomp == "-" or not body:
            return text
        return text + "\n" * (trailing + 1 if chomp == "+" else 1)


def plain(text: str) -> Any:
    lower = text.lower()
    if lower in ("", "~", "null"):
        return None
    if lower in _TRUE or lower in _FALSE:
        return lower in _TRUE
    if _INT.match(text):
        return int(text.replace("_", ""))
    if _FLOAT.match(text) and any(char.isdigit() for char in text):
        return float(text.replace("_", ""))
    return text


def load(text: str) -> Any:
    return _Reader(text).document()
