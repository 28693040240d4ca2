"""Tests of the template and the state machines."""
