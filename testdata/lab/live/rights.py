#!/usr/bin/env python3
"""rights.py PID: what each thread of a live capture may do: no user but an ordinary one, no new
privileges, system calls filtered, and of all capabilities at most those that reading /proc needs; and
that it stands back behind the other work of the host.
"""
import os
import sys

# linux/capability.h: CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE.
FOR_PROC = 1 << 2 | 1 << 19

wrong, told = [], []
threads = f"/proc/{sys.argv[1]}/task"
for thread in sorted(os.listdir(threads), key=int):
    with open(f"{threads}/{thread}/status") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    name, users = status["Name"], set(status["Uid"].split() + status["Gid"].split() + status["Groups"].split())
    if "0" in users:
        wrong.append(f"{name}: user, group or groups of root: {users}")
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        if int(status[kind], 16) & ~FOR_PROC:
            wrong.append(f"{name}: {kind} {status[kind]}")
    if status["NoNewPrivs"] != "1" or status["Seccomp"] != "2":
        wrong.append(f"{name}: NoNewPrivs {status['NoNewPrivs']}, Seccomp {status['Seccomp']}")
    with open(f"{threads}/{thread}/stat") as file:
        # proc(5): field 19, of which the second ends with the last parenthesis.
        niceness = int(file.read().rpartition(") ")[2].split()[16])
    if niceness < 10:
        wrong.append(f"{name}: niceness {niceness}")
    told.append(f"{name} (user {status['Uid'].split()[1]}, capabilities {int(status['CapEff'], 16):x})")
for text in wrong:
    print(text, file=sys.stderr)
print(f"rights: {', '.join(told)}")
sys.exit(1 if wrong else 0)
