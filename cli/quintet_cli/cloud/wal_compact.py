"""`python -m quintet_cli.cloud.wal_compact FOLDER NUMBER`: merge a log's older files, in a process of its own.

Merging reads files only: the cloud goes on writing its newest log meanwhile, and nothing of its memory is copied.
"""

import os
import sys
from pathlib import Path

from .wal_log import merging
from .wal_state import compact

if __name__ == "__main__":
    os.nice(10)
    with merging(Path(sys.argv[1])):
        compact(Path(sys.argv[1]), int(sys.argv[2]))
