"""Which characters a page's bytes are: what its header, its first bytes or its own markup say, as browsers understand it.

Source: the WHATWG Encoding and HTML standards, as far as pages that are met today need them.
"""

import codecs
import re

SNIFFED = 1024
"""Bytes in which a page has to say what it is written in."""

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_LABEL = r"[\"']?\s*([a-z0-9._:()+-]{1,40})"
_IN_HEADER = re.compile(rf";\s*charset\s*=\s*{_LABEL}", re.IGNORECASE)
_META = re.compile(rb"<meta\b[^>]*>", re.IGNORECASE)
_IN_META = re.compile(rf"\bcharset\s*=\s*{_LABEL}", re.IGNORECASE)
_IN_XML = re.compile(rf"<\?xml\b[^>]*?\bencoding\s*=\s*{_LABEL}", re.IGNORECASE)
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)

# Python's name of an encoding -> the one that browsers read it with. Others are none of the web's, and some of Python's cost far more
# than their bytes.
_ENCODINGS = {
    "utf-8": "utf-8",
    "utf-16": "utf-16-le",
    "utf-16-le": "utf-16-le",
    "utf-16-be": "utf-16-be",
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb18030": "gb18030",
    "big5": "big5hkscs",
    "big5hkscs": "big5hkscs",
    "shift_jis": "cp932",
    "cp932": "cp932",
    "euc_jp": "euc_jp",
    "iso2022_jp": "iso2022_jp",
    "euc_kr": "cp949",
    "cp949": "cp949",
    "cp866": "cp866",
    "cp874": "cp874",
    "koi8-r": "koi8-r",
    "koi8-u": "koi8-u",
    "mac-roman": "mac-roman",
    "mac-cyrillic": "mac-cyrillic",
    **{f"iso8859-{part}": f"iso8859-{part}" for part in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)},
    **{f"cp{page}": f"cp{page}" for page in range(1250, 1259)},
}
# Labels of the web that Python doesn't know.
_ALIASES = {
    "unicode-1-1-utf-8": "utf-8",
    "x-sjis": "cp932",
    "windows-31j": "cp932",
    "x-gbk": "gbk",
    "gb_2312-80": "gbk",
    "x-x-big5": "big5",
    "x-euc-jp": "euc_jp",
    "windows-949": "cp949",
    "windows-874": "cp874",
    "dos-874": "cp874",
    "iso-8859-8-i": "iso8859-8",
    "mac": "mac-roman",
    "x-mac-cyrillic": "mac-cyrillic",
    **{f"x-cp{page}": f"cp{page}" for page in range(1250, 1259)},
}
_DEFAULT = "utf-8"


def decoded(body: bytes, content_type: str) -> str:
    """A page's text. A byte that its encoding does not know becomes U+FFFD; what names no encoding that there is, is UTF-8."""
    for mark, encoding in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace")
    return body.decode(_from_header(content_type) or _from_markup(body[:SNIFFED]) or _DEFAULT, "replace")


def _from_header(content_type: str) -> str | None:
    found = _IN_HEADER.search(content_type)
    return _known(found[1]) if found else None


def _from_markup(head: bytes) -> str | None:
    declared = _IN_XML.match(head.decode("latin-1").lstrip())
    tags = [tag.group().decode("latin-1") for tag in _META.finditer(_COMMENT.sub(b"", head))]
    for found in (declared, *(_IN_META.search(tag) for tag in tags)):
        if found and (encoding := _known(found[1])):
            # Markup that could be read as ASCII is in no encoding of two bytes a character, whatever it says.
            return _DEFAULT if encoding.startswith("utf-16") else encoding
    return None


def _known(label: str) -> str | None:
    """The encoding that a label stands for, None for one that no browser knows."""
    try:
        name = codecs.lookup(_ALIASES.get(label.lower(), label)).name
    except (LookupError, ValueError):
        return None
    return _ENCODINGS.get(name)
