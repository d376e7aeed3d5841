"""Marks: what a request carries so that the truth can be told, and is overwritten afterwards.

`labm`, the number of the client's request (8 hexadecimal digits), and 5 times the place of a call among
those of its caller (4 digits, from 1); 0 where there is no further level.
"""
import re

LEVELS = 5
PATTERN = re.compile(rb"labm[0-9a-f]{28}")
# What a service does by itself counts from here.
OF_ITS_OWN = 0xf0000000
HEADER = "X-Lab"


def root(number):
    """The mark of a client's request."""
    return f"labm{number:08x}" + "0000" * LEVELS


def levels(mark):
    """The places of a mark, from its root on."""
    places = [mark[at:at + 4] for at in range(12, 12 + 4 * LEVELS, 4)]
    return [place for place in places if place != "0000"]


def child(mark, place):
    """The mark of the call at this place, from 1, of those that are made for one with this mark."""
    known = levels(mark)
    if len(known) == LEVELS or not 0 < place < 0x10000:
        raise ValueError(f"no mark for call {place} below {mark}")
    return (mark[:12] + "".join(known) + f"{place:04x}").ljust(12 + 4 * LEVELS, "0")


def parent(mark):
    """The mark that this one is a child of; None for a root."""
    known = levels(mark)
    return (mark[:12] + "".join(known[:-1])).ljust(12 + 4 * LEVELS, "0") if known else None


class Caller:
    """Whose calls are marked one after the other."""

    def __init__(self, mark):
        self.mark, self.calls = mark, 0

    def next(self):
        self.calls += 1
        return child(self.mark, self.calls)
