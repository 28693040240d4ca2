"""What the command line says when it cannot go on.

CommandError            one sentence for the person at the terminal; exit code 2
├── HomeError           the data folder cannot be used
├── PortError           the port cannot be bound
└── DeployError         the template cannot be deployed
"""


class CommandError(Exception):
    """A fault that the user can act on, said in one sentence and shown without a traceback."""

    exit_code = 2


class HomeError(CommandError):
    """The data folder is not writable, damaged, not ours, or in use by another server."""


class PortError(CommandError):
    """The port is taken or may not be bound."""


class DeployError(CommandError):
    """The template, or what it refers to, cannot be deployed."""
