"""shop.py server ADDRESS | client ADDRESS PLAN LOG: the lab's gRPC in Python; see ../README.md."""
import concurrent.futures
import hashlib
import json
import os
import sys
import threading
import time

import grpc
from google.protobuf.wrappers_pb2 import StringValue

SERVICE = "wirespan.lab.Shop"
# Large enough for the plan's largest message; gRPC's default is 4 MiB.
LIMITS = [("grpc.max_send_message_length", 64 << 20), ("grpc.max_receive_message_length", 64 << 20)]
CODES = {code.value[0]: code for code in grpc.StatusCode}


def filled(order):
    return StringValue(value="7" * max(order.get("size", 0), 1))


def wait(milliseconds):
    time.sleep((milliseconds or 0) / 1000)


# The server




def fail_if_told(order, context):
    if order.get("code"):
        context.abort(CODES[order["code"]], order.get("text", ""))


def unary(act):
    def handle(request, context):
        order = json.loads(request.value)
        # Trailers beside those of gRPC itself.
        context.set_trailing_metadata([("lab-stock", "7")])
        return act(order, context)
    return grpc.unary_unary_rpc_method_handler(handle, StringValue.FromString, StringValue.SerializeToString)


def fail(order, context):
    fail_if_told(order, context)
    return StringValue()


def sleep(order, context):
    wait(order["sleep"])
    return StringValue(value="awake")


def listing(request, context):
    order = json.loads(request.value)
    for _ in range(order.get("count", 0)):
        yield filled(order)
        wait(order.get("pause"))
    fail_if_told(order, context)


def upload(requests, context):
    for request in requests:
        fail_if_told(json.loads(request.value), context)
    return StringValue(value="7")


def chat(requests, context):
    for request in requests:
        order = json.loads(request.value)
        fail_if_told(order, context)
        yield filled(order)


def serve(address):
    # The plan has up to 64 calls at a time.
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(80), options=LIMITS + [
        # A connection is asked whether it still lives.
        ("grpc.keepalive_time_ms", 1000), ("grpc.http2.max_pings_without_data", 0)])
    codec = StringValue.FromString, StringValue.SerializeToString
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, {
        "Price": unary(lambda order, context: filled(order)),
        "Fail": unary(fail),
        "Sleep": unary(sleep),
        "List": grpc.unary_stream_rpc_method_handler(listing, *codec),
        "Upload": grpc.stream_unary_rpc_method_handler(upload, *codec),
        "Chat": grpc.stream_stream_rpc_method_handler(chat, *codec),
    })])
    if not server.add_insecure_port(address):
        sys.exit(f"{address} cannot be bound")
    server.start()
    server.wait_for_termination()


# The client


class Client:
    def __init__(self, address, log):
        self.channel = grpc.insecure_channel(address, options=LIMITS + [("grpc.primary_user_agent", "lab-python")])
        self.log, self.lock = log, threading.Lock()

    def one(self, step, number):
        order, method = step.get("order", {}), step["method"]
        identity = hashlib.sha256(f"python {number} {os.getpid()}".encode()).digest()
        trace, span = identity[:16], identity[16:24]
        if step.get("binary"):
            # OpenCensus's binary form: version, then fields 0 (trace id), 1 (span id) and 2 (flags).
            metadata = [("grpc-trace-bin", b"\0\0" + trace + b"\1" + span + b"\2\1")]
        else:
            metadata = [("traceparent", f"00-{trace.hex()}-{span.hex()}-01")]
        row = {"begin": 0, "end": 0, "protocol": "grpc", "service": SERVICE, "method": method, "id": trace.hex(),
               "sent": 0, "received": 0}
        options = {"metadata": metadata}
        if step.get("timeout"):
            row["timeout"] = step["timeout"]
            options["timeout"] = step["timeout"] / 1000
        if step.get("gzip"):
            options["compression"] = grpc.Compression.Gzip
        codec = StringValue.SerializeToString, StringValue.FromString
        path = f"/{SERVICE}/{method}"
        row["begin"] = time.time_ns()
        try:
            if method in ("Upload", "Chat"):
                make = self.channel.stream_unary if method == "Upload" else self.channel.stream_stream
                answered = threading.Semaphore(1)
                requests = self.requests(step, order, row, answered)
                if method == "Upload":
                    call = make(path, *codec).future(requests, **options)
                    self.cancel_later(step, call)
                    call.result()
                    row["received"] = 1
                else:
                    call = make(path, *codec)(requests, **options)
                    self.cancel_later(step, call)
                    try:
                        self.receive(step, call, row, answered)
                    finally:
                        # Lets the thread of the requests go on where no answer comes any more.
                        answered.release(1000)
            elif method == "List":
                row["sent"] = 1
                call = self.channel.unary_stream(path, *codec)(self.request(step, order, 0), **options)
                self.cancel_later(step, call)
                self.receive(step, call, row, None)
            else:
                row["sent"] = 1
                call = self.channel.unary_unary(path, *codec).future(self.request(step, order, 0), **options)
                self.cancel_later(step, call)
                call.result()
                row["received"] = 1
            code, text = grpc.StatusCode.OK, ""
        except grpc.RpcError as error:
            code, text = error.code(), error.details()
        except (grpc.FutureCancelledError, concurrent.futures.CancelledError):
            code, text = grpc.StatusCode.CANCELLED, "cancelled"
        row["end"] = time.time_ns()
        row["code"], row["status"] = code.value[0], code.name
        if text:
            row["text"] = text
        if code in (grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED):
            row["gave_up"] = True
        with self.lock:
            print(json.dumps(row), file=self.log, flush=True)

    def request(self, step, order, number):
        """The message with this number of a call: only the last of a stream of requests names a status."""
        order = dict(order)
        if step.get("fill"):
            order["fill"] = "q" * step["fill"]
        if step["method"] != "List" and number + 1 < order.get("count", 0):
            order.pop("code", None)
        return StringValue(value=json.dumps(order))

    def requests(self, step, order, row, answered):
        for number in range(order["count"]):
            # One asks and the other answers, in turns.
            if step["method"] == "Chat":
                answered.acquire()
            row["sent"] += 1
            yield self.request(step, order, number)
            wait(order.get("pause"))

    def receive(self, step, call, row, answered):
        for _ in call:
            row["received"] += 1
            if answered:
                answered.release()
            if row["received"] == step.get("stop"):
                call.cancel()

    def cancel_later(self, step, call):
        if step.get("cancel"):
            threading.Timer(step["cancel"] / 1000, call.cancel).start()

    def follow(self, plan):
        number = 0
        for step in plan:
            wait(step.get("wait"))
            if "method" not in step:
                continue
            with concurrent.futures.ThreadPoolExecutor(step.get("at", 1)) as pool:
                calls = []
                for _ in range(step.get("times", 1)):
                    number += 1
                    calls.append(pool.submit(self.one, step, number))
                for call in calls:
                    call.result()
        self.channel.close()


if sys.argv[1:2] == ["server"] and len(sys.argv) == 3:
    serve(sys.argv[2])
elif sys.argv[1:2] == ["client"] and len(sys.argv) == 5:
    with open(sys.argv[3]) as plan, open(sys.argv[4], "w") as log:
        Client(sys.argv[2], log).follow(json.load(plan))
else:
    sys.exit(__doc__)
