"""The `quintet` command and the local cloud; never shipped to Lambda."""

from quintet_cli import python_version

python_version.require()
