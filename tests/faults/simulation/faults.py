"""What can become of a process or a port call."""


class ProcessDied(BaseException):
    """The process that made this port call is gone; nothing of it runs any more."""


class PortFailed(Exception):
    """The port answered with an error: before its effect or after it."""
