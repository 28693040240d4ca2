"""Runs code that users wrote in a process of its own, bounded in time, memory, output and processes. Standard library only.

What holds: the code's process has none of the runner's environment, its own empty folder, limits it can't raise, and ends with everything
it started when its time is over or its main has returned. What does not: it may use the network, and read the files that its user may read.
On AWS the function's role allows nothing; a runner started by root gives the code an unprivileged user of its own.
"""
