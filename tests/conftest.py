"""What all tests share: hypothesis as this project wants it."""

import os

from hypothesis import settings

import quintet.adapters.jsonata_engine  # noqa: F401  # its library raises the recursion limit, which hypothesis minds during a test

# CI tries the same examples each time, so that a red build means a change; a developer's machine goes on searching.
settings.register_profile("ci", derandomize=True, database=None)
if os.environ.get("CI"):
    settings.load_profile("ci")
