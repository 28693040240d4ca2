"""Cuts large results so that an answer stays within what a gateway carries, and JSON stays JSON."""

import json
from typing import Any

from quintet.services.payloads import Payloads

RESULT_BYTES = 64 * 1024
ANSWER_BYTES = 2 * 1024 * 1024
_SHORT = 1024


class Results:
    """The results of one answer: each at most RESULT_BYTES, all together at most about ANSWER_BYTES."""

    def __init__(self, payloads: Payloads) -> None:
        self._payloads = payloads
        self._left = ANSWER_BYTES

    def show(self, stored: Any) -> tuple[Any, bool]:
        """The value, or, when it is too large, {preview, size, url} in its place; and whether it was cut.

        `preview` is the beginning of the value's JSON text, `size` its whole length in bytes, `url` reads the whole (null for a value
        that is kept in the journal).
        """
        if stored is None:
            return None, False
        size = self._payloads.size(stored)
        if size <= min(RESULT_BYTES, self._left):
            self._left -= size
            return self._payloads.get(stored), False
        length = min(RESULT_BYTES, max(self._left, _SHORT))
        self._left -= min(length, self._left)
        text = json.dumps(self._payloads.get(stored), ensure_ascii=False, separators=(",", ":"))
        preview = text.encode(errors="replace")[:length].decode(errors="ignore")
        return {"preview": preview, "size": size, "url": self._payloads.link(stored)}, True
