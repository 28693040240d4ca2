"""Regular expressions that end: JSONata's literals on the `regex` package, whose matching takes a time-out."""

from collections.abc import Callable, Iterator
from typing import Any

MAX_PATTERN = 2000
MAX_SUBJECT = 1024 * 1024


def bounded_regex(pattern: str, flags: Any, seconds: Callable[[], float]) -> "BoundedPattern":
    """Compiles a literal; `seconds` says, whenever it is matched, how long it may take. Raises ValueError for a bad pattern."""
    # Imported here: most expressions hold no regular expression, and cold starts count.
    import regex  # type: ignore[import-untyped]  # the package has no annotations

    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"a regular expression of {len(pattern)} characters; at most {MAX_PATTERN} are allowed")
    chosen = (regex.IGNORECASE if flags.case_insensitive else 0) | (regex.MULTILINE if flags.multiline else 0)
    try:
        return BoundedPattern(regex.compile(pattern, chosen), seconds)
    except regex.error as error:
        raise ValueError(f"bad regular expression: {error}") from None


class BoundedPattern:
    """A compiled pattern as the library expects one. Every method raises TimeoutError when the time is over."""

    def __init__(self, pattern: Any, seconds: Callable[[], float]) -> None:
        self._pattern = pattern
        self._seconds = seconds

    def search(self, string: str) -> Any:
        """The first match, or None."""
        return self._pattern.search(_short(string), timeout=self._seconds())

    def finditer(self, string: str) -> Iterator[Any]:
        """Every match in turn."""
        found: Iterator[Any] = self._pattern.finditer(_short(string), timeout=self._seconds())
        return found

    def sub(self, repl: Any, string: str, count: int = 0) -> str:
        """The string with matches replaced."""
        replaced: str = self._pattern.sub(repl, _short(string), count, timeout=self._seconds())
        return replaced

    def split(self, string: str, maxsplit: int = 0) -> list[str]:
        """The parts between the matches."""
        parts: list[str] = self._pattern.split(_short(string), maxsplit, timeout=self._seconds())
        return parts


def _short(string: str) -> str:
    if len(string) > MAX_SUBJECT:
        raise ValueError(f"a text of {len(string)} characters is too long for a regular expression")
    return string
