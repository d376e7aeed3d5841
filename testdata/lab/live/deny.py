#!/usr/bin/env python3
"""deny.py [--errno ENOSYS|EPERM] [--old] -- COMMAND…: runs a command that the kernel refuses some calls.

Those are bpf(2) and perf_event_open(2); with --old, all that came after Linux 3.10 too, so that the
command has what a host of 2013 has. The filter is one of seccomp, and stays with all that the command
starts: https://www.kernel.org/doc/html/latest/userspace-api/seccomp_filter.html.
"""
import argparse
import ctypes
import errno
import os
import platform
import struct

# By machine: its AUDIT_ARCH, perf_event_open, bpf, and the first number that Linux 3.10 did not have.
# Numbers are given in the order of time.
MACHINES = {"x86_64": (0xC000003E, 298, 321, 314), "aarch64": (0xC00000B7, 241, 280, 274)}

# Instructions of classic BPF: linux/filter.h.
LOAD, IF_EQUAL, IF_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
# What a filter sees: linux/seccomp.h, struct seccomp_data.
NUMBER, ARCHITECTURE = 0, 4
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2


def program(error, old):
    """Instructions: code, jump if true, jump if false, operand."""
    architecture, perf, bpf, newer = MACHINES[platform.machine()]
    refused = [(IF_EQUAL, perf), (IF_EQUAL, bpf)] + ([(IF_AT_LEAST, newer)] if old else [])
    lines = [(LOAD, 0, 0, ARCHITECTURE), (IF_EQUAL, 1, 0, architecture), (RETURN, 0, 0, REFUSE | error), (LOAD, 0, 0, NUMBER)]
    # Each jumps over what is left and the instruction that allows.
    lines += [(code, len(refused) - place, 0, number) for place, (code, number) in enumerate(refused)]
    return lines + [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE | error)]


def install(lines):
    text = b"".join(struct.pack("=HBBI", *line) for line in lines)
    buffer = ctypes.create_string_buffer(text, len(text))
    # struct sock_fprog, with the padding before its pointer.
    filter = struct.pack("@HP", len(lines), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    number = ctypes.c_ulong
    if libc.prctl(PR_SET_NO_NEW_PRIVS, number(1), number(0), number(0), number(0)):
        raise OSError(ctypes.get_errno(), "PR_SET_NO_NEW_PRIVS")
    if libc.prctl(PR_SET_SECCOMP, number(SECCOMP_MODE_FILTER), ctypes.c_char_p(filter), number(0), number(0)):
        raise OSError(ctypes.get_errno(), "PR_SET_SECCOMP")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--errno", choices=["ENOSYS", "EPERM"], default="ENOSYS")
    arguments.add_argument("--old", action="store_true")
    arguments.add_argument("command", nargs=argparse.REMAINDER)
    given = arguments.parse_args()
    command = given.command[1:] if given.command[:1] == ["--"] else given.command
    install(program(getattr(errno, given.errno), given.old))
    os.execvp(command[0], command)


main()
