#!/usr/bin/env bash
# Linux, Python 3.11 and later: a process's `ru_maxrss` begins at what the process that started it had taken at most.
#
# subprocess and multiprocessing's spawn fork (or vfork) and then exec, and exec hands the peak of the memory that is
# left behind on to the counter of the process. So `resource.getrusage(RUSAGE_SELF).ru_maxrss` of a fresh, small process
# says how large its parent was; a benchmark that compares two programs started by a large one finds them equal.
# VmHWM in /proc/self/status belongs to the memory itself, and is right.
# Seen: parent with 400 MB: child's ru_maxrss 400 MB and more, its VmHWM some 10 MB.
set -euo pipefail
python3 - <<'PYTHON'
import subprocess, sys

child = """
import re, resource
high = int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, high // 1024)
"""
taken = bytearray(400 * 2**20)
said = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=True).stdout
maxrss, high = map(int, said.split())
print(f"child of a process with 400 MiB: ru_maxrss {maxrss} MiB, VmHWM {high} MiB")
sys.exit(not (maxrss >= 400 > 100 > high))
PYTHON
