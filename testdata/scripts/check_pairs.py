#!/usr/bin/env python3
"""check_pairs.py WHOLE.ndjson NAME=VARIANT.ndjson ...: are the pairs of damaged captures true ones?

WHOLE holds the spans of the undamaged capture, each VARIANT those of one that degrade.py made of it.
Checks how many HTTP exchanges a variant has, and that none of its pairs is absent from WHOLE's. A
pair is known by its connection and the sequence numbers of its two first bytes.
"""
import sys

import wirespan

# For each variant: the fewest exchanges that it must give, and how many it can give.
MUST = {
    "clean": (10_021, 10_021),
    "loss1": (9_780, 9_809),
    "dup": (10_021, 10_021),
    "reorder": (10_010, 10_021),
    "mid": (9_730, 9_749),
    "snap400": (10_021, 10_021),
}


def pairs(path):
    found = [
        (span["client"], span["server"], span["request"]["seq"], span["response"]["seq"])
        for span in wirespan.spans(path, "http")
        if wirespan.complete(span)
    ]
    return set(found), len(found)


def check(name, path, whole):
    """Prints one line, and says whether all is well."""
    own, count = pairs(path)
    false = own - whole
    least, most = MUST[name]
    well = least <= count <= most and not false and len(own) == count
    wanted = f"{least}" if least == most else f"{least}-{most}"
    print(f"{name:8} {count:6} exchanges of {wanted:11} {len(false):4} false pairs "
          f"{count - len(own):4} twice  {'ok' if well else 'WRONG'}")
    for pair in sorted(false)[:5]:
        print(f"         false: {pair}")
    return well


def main():
    if len(sys.argv) < 3 or not all("=" in a and a.split("=")[0] in MUST for a in sys.argv[2:]):
        sys.exit(f"usage: check_pairs.py WHOLE.ndjson NAME=VARIANT.ndjson ...   (NAME: {' '.join(MUST)})")
    whole, _ = pairs(sys.argv[1])
    results = [check(*argument.split("=", 1), whole) for argument in sys.argv[2:]]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
