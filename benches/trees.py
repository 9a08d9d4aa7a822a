"""What a tree of processes costs: processor time, and its own share of memory."""

import os
from pathlib import Path


def members(root):
    """The pids of a process and of everything below it."""
    children = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # The name stands in parentheses and may hold anything: fields begin after the last one.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, [])
    return found


def cpu(root):
    """Nanoseconds on a processor of each thread of the tree: the scheduler's count, not ticks."""
    used = {}
    for pid in members(root):
        try:
            for task in Path(f"/proc/{pid}/task").iterdir():
                used[pid, task.name] = int((task / "schedstat").read_text().split()[0])
        except OSError:
            continue
    return used


def spent(before, after):
    """Microseconds between two answers of `cpu`. A thread that began in between counts whole."""
    return sum(now - before.get(thread, 0) for thread, now in after.items()) / 1000


def proportional_set_size(root):
    """Bytes of memory, pages shared with others counted in proportion."""
    total = 0
    for pid in members(root):
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total * 1024


def pin(core):
    """For preexec_fn: the child and all its children stay on one core."""
    return lambda: os.sched_setaffinity(0, {core})
