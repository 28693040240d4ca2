"""Names for URLs and look-ups: lower case letters, digits, `-` and `_`."""

import re
import unicodedata

SLUG_LENGTH = 128
SLUG = re.compile(rf"[a-z0-9_-]{{1,{SLUG_LENGTH}}}")


def slug_of(name: str) -> str:
    """A slug that reads like the name: accents are dropped, all else that a slug can't have becomes `-`; empty when nothing is left."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9_]+", "-", plain).strip("-")[:SLUG_LENGTH].rstrip("-")
