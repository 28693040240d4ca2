"""The ports in memory: for the simulation, for tests, and for users' tests. Nothing survives the process."""

from quintet.adapters.memory.collections import MemoryCollections
from quintet.adapters.memory.dependencies import MemoryDependencies
from quintet.adapters.memory.groups import MemoryGroups
from quintet.adapters.memory.jobs import MemoryJobs
from quintet.adapters.memory.keys import MemoryKeys
from quintet.adapters.memory.projects import MemoryProjects
from quintet.adapters.memory.records import MemoryRecords
from quintet.adapters.memory.runs import MemoryRuns
from quintet.adapters.memory.world import ManualClock, MemoryBlobs, MemoryLogs, MemoryVault, SeededIds

__all__ = [
    "ManualClock",
    "MemoryBlobs",
    "MemoryCollections",
    "MemoryDependencies",
    "MemoryGroups",
    "MemoryJobs",
    "MemoryKeys",
    "MemoryLogs",
    "MemoryProjects",
    "MemoryRecords",
    "MemoryRuns",
    "MemoryVault",
    "SeededIds",
]
