"""Lets `python -m quintet_cli` be the `quintet` command."""

from quintet_cli.main import main

main()
