"""Where in a shell's quoting a place in a script stands, and how data is written there so that it stays data."""

import re
import shlex
from dataclasses import dataclass, field

_HEREDOC = re.compile(r"<<(-?)[ \t]*(?:'([^'\n]+)'|\"([^\"\n]+)\"|\\?([A-Za-z_][A-Za-z0-9_]*))")
_DOUBLE = re.compile(r'([\\"$`])')
_EXPANDED = re.compile(r"([\\$`])")


_CLOSED_BY = {"'": "'", "#": "\n", "`": "`"}
"""What opened such a place, and what alone closes it."""


class Misquoted(ValueError):
    """The script's own quoting leaves no safe way, or is left open."""


@dataclass(frozen=True, slots=True)
class Heredoc:
    """A here-document that is open; `quoted` ones expand nothing."""

    word: str
    quoted: bool
    indented: bool


@dataclass(slots=True)
class Quoting:
    """The state of a POSIX shell's reader after some text: a stack of what is open, innermost last.

    `'` and `"` are quotes, `(` a command substitution or subshell, `#` a comment; here-documents wait for the end of their line, then they
    are read one after the other.
    """

    open: list[str] = field(default_factory=list)
    pending: list[Heredoc] = field(default_factory=list)
    documents: list[Heredoc] = field(default_factory=list)
    line: str = ""
    escaped: bool = False
    word_begins: bool = True

    def feed(self, text: str) -> None:
        """Reads the script's own text. Raises Misquoted for backticks with templates in them (see `write`)."""
        place = 0
        while place < len(text):
            place = self._one(text, place)

    def _one(self, text: str, place: int) -> int:
        char = text[place]
        if self.documents:
            self._document(char)
            return place + 1
        inside = self.open[-1] if self.open else ""
        if self.escaped:
            self.escaped = False
        elif inside in _CLOSED_BY:
            if char == _CLOSED_BY[inside]:
                self.open.pop()
            elif inside == "`" and char == "\\":
                self.escaped = True
        else:
            place = self._expanding(text, place, char, inside)
        self.word_begins = (inside != '"' and not self.escaped and char in " \t\n;|&(") or text[: place + 1].endswith(
            "$("
        )
        if char == "\n" and self.pending and not self._quoted:
            self.documents, self.pending, self.line = self.pending, [], ""
        return place + 1

    def _expanding(self, text: str, place: int, char: str, inside: str) -> int:
        """Outside of quotes, and in double ones."""
        if char == "\\":
            self.escaped = True
        elif char == '"':
            self.open.pop() if inside == '"' else self.open.append('"')
        elif char == "`":
            self.open.append("`")
        elif text.startswith("$(", place):
            self.open.append("(")
            return place + 1
        elif inside != '"':
            return self._plain(text, place, char, inside)
        return place

    @property
    def _quoted(self) -> bool:
        return bool(self.open) and self.open[-1] in {"'", '"'}

    def _plain(self, text: str, place: int, char: str, inside: str) -> int:
        if char == "'":
            self.open.append("'")
        elif char == "(":
            self.open.append("(")
        elif char == ")" and inside == "(":
            self.open.pop()
        elif char == "#" and self.word_begins:
            self.open.append("#")
        elif char == "<" and (found := _HEREDOC.match(text, place)) and not text.startswith("<<<", place):
            dash, single, double, bare = found.groups()
            quoted = bare is None or "\\" in found.group(0)
            self.pending.append(Heredoc(single or double or bare, quoted, bool(dash)))
            return found.end() - 1
        return place

    def _document(self, char: str) -> None:
        if char != "\n":
            self.line += char
            return
        document = self.documents[0]
        line = self.line.lstrip("\t") if document.indented else self.line
        if line == document.word:
            self.documents.pop(0)
        self.line = ""

    def write(self, data: str) -> str:
        """The data as it must stand here to be read as itself. Raises Misquoted where there is no such way."""
        if "\0" in data:
            raise Misquoted("a value with a NUL character can't be given to a shell")
        if self.documents:
            return self._in_document(data)
        if self.escaped:
            raise Misquoted("a template can't stand behind a backslash")
        inside = self.open[-1] if self.open else ""
        if inside == "#":
            return data.replace("\n", " ")
        if "`" in self.open:
            raise Misquoted("templates inside backticks are not possible: use $(...)")
        if inside == "'":
            return data.replace("'", "'\\''")
        if inside == '"':
            return _DOUBLE.sub(r"\\\1", data)
        self.word_begins = False
        return shlex.quote(data)

    def _in_document(self, data: str) -> str:
        document = self.documents[0]
        if any((line.lstrip("\t") if document.indented else line) == document.word for line in data.split("\n")):
            raise Misquoted(f"a value holds the line that ends the here-document {document.word}")
        self.line += data.rpartition("\n")[2]
        return data if document.quoted else _EXPANDED.sub(r"\\\1", data)

    def finish(self) -> None:
        """Raises Misquoted when something is left open at the end of a script line."""
        left = [one for one in self.open if one != "#"]
        if left:
            names = {"'": "a single quote", '"': "a double quote", "(": "a parenthesis", "`": "a backtick"}
            raise Misquoted(f"{names[left[-1]]} is not closed")
        if self.documents and self.line != self.documents[0].word:
            raise Misquoted(f"the here-document {self.documents[0].word} is not closed")
