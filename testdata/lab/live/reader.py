#!/usr/bin/env python3
"""reader.py PIPE LINES HURRY: reads a line a second from PIPE, and all at once when there is a file HURRY."""
import os
import sys
import time

pipe, lines, hurry = sys.argv[1:]
with open(pipe, "rb", buffering=0) as given, open(lines, "wb") as file:
    # No more is taken from the pipe than a line needs: what a buffer took would be read, too.
    line = b""
    while not os.path.exists(hurry) and (byte := given.read(1)):
        line += byte
        if byte == b"\n":
            file.write(line)
            line = b""
            time.sleep(1)
    file.write(line)
    while piece := given.read(1 << 16):
        file.write(piece)
