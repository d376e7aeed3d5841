#!/usr/bin/env python3
"""check_traces.py SPANS.ndjson: are the two hops of each request in one trace, the outer one above?

For captures where client → gateway → service are both seen, and each request has identifiers of its
own (the bench capture a_200k). For each X-Request-ID and traceparent trace id with both hops
complete: they lie in one trace and the gateway's hop is the parent of the service's. And no trace
holds spans with two different identifiers of one format.
"""
import argparse
import collections
import sys

import wirespan


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("spans")
    arguments.add_argument("--gateway", default="10.77.0.2:8080", metavar="IP:PORT")
    arguments.add_argument("--service", default="10.77.0.3:8081", metavar="IP:PORT")
    options = arguments.parse_args()

    hops = collections.defaultdict(lambda: collections.defaultdict(list))
    names = collections.defaultdict(set)
    for span in wirespan.spans(options.spans, "http"):
        for kind, value in wirespan.identifiers(span):
            names[span["trace"], kind].add(value)
            if wirespan.complete(span):
                hops[kind, value][span["server"]].append(span)

    wrong = collections.Counter()
    examples = {}
    checked = collections.Counter()
    for (kind, value), found in sorted(hops.items()):
        outer, inner = found[options.gateway], found[options.service]
        if not outer or not inner:
            continue
        checked[kind] += 1
        verdict = judge(outer, inner)
        if verdict:
            wrong[verdict] += 1
            examples.setdefault(verdict, f"{kind} {value}")
    for (trace, kind), values in sorted(names.items()):
        if len(values) > 1:
            wrong["traces with two identifiers"] += 1
            examples.setdefault("traces with two identifiers", f"trace {trace}: {kind} {sorted(values)[:3]}")

    for kind, count in sorted(checked.items()):
        print(f"{count:7} {kind} with both hops complete")
    for verdict, count in sorted(wrong.items()):
        print(f"{count:7} WRONG: {verdict}, such as {examples[verdict]}")
    if not checked:
        print("WRONG: no identifier was seen on both hops")
    sys.exit(1 if wrong or not checked else 0)


def judge(outer, inner):
    if len(outer) > 1 or len(inner) > 1:
        return "identifiers on several exchanges of one hop"
    if outer[0]["trace"] != inner[0]["trace"]:
        return "the hops lie in two traces"
    if inner[0].get("parent") != outer[0]["span"]:
        return "the gateway's hop is not the parent of the service's"
    return None


main()
