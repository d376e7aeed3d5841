"""spans.py REPORTS OUT: what the libraries of this scenario reported, as OTLP JSON.

OUT gets an ExportTraceServiceRequest a line. Each line of REPORTS is a kind and a report: `json` is written
as it is; in base64 come `otlp`, a message of protobuf, `datadog`, traces in MessagePack (v0.4), and `sw8`, a
SegmentObject of SkyWalking.
"""
import base64
import hashlib
import json
import sys

from google.protobuf.json_format import MessageToDict

INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = range(1, 6)
KINDS = {"internal": INTERNAL, "server": SERVER, "client": CLIENT, "producer": PRODUCER, "consumer": CONSUMER}


def main(reports, out):
    readers = {"json": lambda report: [report.decode()], "otlp": otlp, "datadog": datadog, "sw8": skywalking}
    with open(reports, "rb") as file, open(out, "w") as spans:
        for line in file:
            kind, _, report = line.rstrip(b"\n").partition(b" ")
            for request in readers[kind.decode()](report):
                spans.write(request if isinstance(request, str) else json.dumps(request, separators=(",", ":")))
                spans.write("\n")


def otlp(report):
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    message = ExportTraceServiceRequest.FromString(base64.b64decode(report))
    yield hexadecimal(MessageToDict(message, use_integers_for_enums=True))


def hexadecimal(value):
    """The JSON of protobuf has base64 for bytes; OTLP has hexadecimal digits for identifiers."""
    if isinstance(value, list):
        return [hexadecimal(one) for one in value]
    if isinstance(value, dict):
        return {key: base64.b64decode(one).hex() if key in ("traceId", "spanId", "parentSpanId") else hexadecimal(one)
                for key, one in value.items()}
    return value


def datadog(report):
    """Identifiers have 64 bits; the upper half of a trace's stands with the first span of a report."""
    import msgpack
    for trace in msgpack.unpackb(base64.b64decode(report), strict_map_key=False):
        upper = next((span["meta"]["_dd.p.tid"] for span in trace if "_dd.p.tid" in (span.get("meta") or {})), "0" * 16)
        for span in trace:
            meta = span.get("meta") or {}
            yield request(span["service"], "datadog", {
                "traceId": f"{upper}{span['trace_id']:016x}", "spanId": f"{span['span_id']:016x}",
                "parentSpanId": f"{span['parent_id']:016x}" if span.get("parent_id") else "",
                "name": span["resource"], "kind": KINDS.get(meta.get("span.kind"), INTERNAL),
                "startTimeUnixNano": str(span["start"]), "endTimeUnixNano": str(span["start"] + span["duration"]),
                "status": {"code": 2} if span.get("error") else {},
            }, {"operation.name": span["name"], **meta})


def skywalking(report):
    """Identifiers are words, which OTLP has no room for: a part of their SHA-256 stands for them."""
    from skywalking.protocol.language_agent.Tracing_pb2 import SegmentObject
    segment = SegmentObject.FromString(base64.b64decode(report))

    def span_id(segment, number):
        return digest(f"{segment}/{number}", 16)

    for span in segment.spans:
        parent = ""
        if span.parentSpanId >= 0:
            parent = span_id(segment.traceSegmentId, span.parentSpanId)
        elif span.refs:
            parent = span_id(span.refs[0].parentTraceSegmentId, span.refs[0].parentSpanId)
        # Entry, exit, local.
        kind = {0: SERVER, 1: CLIENT}.get(span.spanType, INTERNAL)
        trace = span.refs[0].traceId if span.refs else segment.traceId
        yield request(segment.service, "skywalking", {
            "traceId": digest(trace, 32), "spanId": span_id(segment.traceSegmentId, span.spanId),
            "parentSpanId": parent, "name": span.operationName, "kind": kind,
            "startTimeUnixNano": str(span.startTime * 10**6), "endTimeUnixNano": str(span.endTime * 10**6),
            "status": {"code": 2} if span.isError else {},
        }, {"sw8.trace_id": trace, "sw8.segment_id": segment.traceSegmentId, "sw8.span_id": str(span.spanId),
            "peer": span.peer, **{tag.key: tag.value for tag in span.tags}})


def digest(words, digits):
    return hashlib.sha256(words.encode()).hexdigest()[:digits]


def request(service, scope, span, attributes):
    span["attributes"] = texts(attributes)
    return {"resourceSpans": [{"resource": {"attributes": texts({"service.name": service})},
                               "scopeSpans": [{"scope": {"name": scope}, "spans": [span]}]}]}


def texts(attributes):
    return [{"key": key, "value": {"stringValue": str(value)}} for key, value in attributes.items()]


if __name__ == "__main__":
    main(*sys.argv[1:])
