"""Which characters a page's bytes are read as."""

import pytest

from quintet.domain.charset import SNIFFED, decoded

HTML = "text/html"
E_ACUTE, EURO, CYRILLIC, KANJI = "é", "€", "Привет", "日本語"


@pytest.mark.parametrize(
    ("header", "encoding", "text"),
    [
        (HTML, "utf-8", EURO),
        ("", "utf-8", KANJI),
        ("text/html; charset=utf-8", "utf-8", KANJI),
        ("text/html;charset=UTF8", "utf-8", KANJI),
        ('text/html; charset="windows-1251"', "cp1251", CYRILLIC),
        ("text/html; version=1; Charset = koi8-r", "koi8-r", CYRILLIC),
        ("text/html; charset=iso-8859-1", "cp1252", E_ACUTE + EURO),
        ("text/html; charset=us-ascii", "cp1252", E_ACUTE + EURO),
        ("text/html; charset=iso-8859-15", "iso8859-15", EURO),
        ("text/html; charset=Shift_JIS", "cp932", KANJI),
        ("text/html; charset=windows-31j", "cp932", KANJI),
        ("text/html; charset=euc-jp", "euc_jp", KANJI),
        ("text/html; charset=gb2312", "gb18030", KANJI),
        ("text/html; charset=ks_c_5601-1987", "cp949", "한국어"),
        ("text/html; charset=windows-874", "cp874", "ไทย"),
        ("text/html; charset=utf-16le", "utf-16-le", KANJI),
    ],
)
def test_the_header_says_what_a_page_is_written_in(header: str, encoding: str, text: str) -> None:
    """By any name that browsers know; without one, it is UTF-8. Old names mean what browsers read them as."""
    assert decoded(text.encode(encoding), header) == text


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_says_it_for_certain(encoding: str) -> None:
    """Against header and markup, and is no part of the text."""
    assert decoded(KANJI.encode(encoding), "text/html; charset=koi8-r") == KANJI
    assert decoded(b"\xfe\xff" + KANJI.encode("utf-16-be"), "") == KANJI


@pytest.mark.parametrize(
    "markup",
    [
        "<html><head><meta charset=windows-1251>",
        '<META CHARSET="windows-1251" />',
        "<meta name=a><meta data-x=1 charset = 'cp1251'>",
        '<meta http-equiv="Content-Type" content="text/html; charset=windows-1251">',
        '<?xml version="1.0" encoding="windows-1251"?><html>',
        '<!-- <meta charset="koi8-r"> --><meta charset="windows-1251">',
        '<meta charset="no-such-thing"><meta charset="windows-1251">',
    ],
)
def test_the_markup_says_it_where_the_header_does_not(markup: str) -> None:
    """Within the first bytes; the header wins, one that names nothing known does not count."""
    page = (markup + CYRILLIC).encode("cp1251")
    assert decoded(page, HTML).endswith(CYRILLIC)
    assert decoded(page, "text/html; charset=no-such-thing").endswith(CYRILLIC)
    assert not decoded(page, "text/html; charset=koi8-r").endswith(CYRILLIC)


def test_the_markup_must_say_it_early() -> None:
    """In its first SNIFFED bytes, as a whole."""
    tag = "<meta charset=windows-1251>"
    for lead, known in ((SNIFFED - len(tag), True), (SNIFFED - len(tag) + 1, False)):
        assert decoded((" " * lead + tag + CYRILLIC).encode("cp1251"), HTML).endswith(CYRILLIC) is known


def test_markup_in_ascii_is_not_in_two_bytes_a_character() -> None:
    """What calls itself UTF-16 in a tag of one byte a character is UTF-8."""
    page = f"<meta charset=utf-16>{KANJI}".encode()
    assert decoded(page, HTML).endswith(KANJI)


@pytest.mark.parametrize(
    "label",
    ["idna", "punycode", "unicode_escape", "utf-7", "zlib", "hex", "rot13", "undefined", "mbcs", "..", "x" * 60],
)
def test_only_encodings_of_the_web_are_known(label: str) -> None:
    """What Python has beyond them counts as nothing said: some of it costs far more than its bytes."""
    assert decoded("a\\x41é".encode(), f"text/html; charset={label}") == "a\\x41é"


def test_any_bytes_have_a_text() -> None:
    """A byte that means nothing becomes U+FFFD."""
    assert decoded(b"a\xff\xfeb", HTML) == "a\ufffd\ufffdb"
    assert decoded(b"", "text/html; charset=shift_jis") == ""
    assert decoded(bytes(range(256)), 'text/html; charset="') != ""
