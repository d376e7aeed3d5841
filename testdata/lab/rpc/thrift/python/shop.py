#!/usr/bin/env python3
"""A server and a client of shop.thrift.

  shop.py server HOST PORT TRANSPORT PROTOCOL SERVICE
  shop.py client HOST PORT TRANSPORT PROTOCOL SERVICE KIND COUNT THREADS

TRANSPORT is buffered or framed; PROTOCOL is binary or compact (in JSON this library reads the first
message of a connection again and again); SERVICE is the name of the
service where several share a connection, - where there is one. KIND is `each` for one call of each
method, or `load` for calls of `find` and `total`. The client writes a line of JSON for each call to
standard output: times are nanoseconds since 1970; `outcome` is ok, exception (that the interface
declares) or error. Each thread has a connection of its own.
"""
import json
import os
import sys
import threading
import time

import thriftpy2
from thriftpy2.protocol import TBinaryProtocolFactory, TCompactProtocolFactory
from thriftpy2.protocol.multiplex import TMultiplexedProtocolFactory
from thriftpy2.rpc import make_client
from thriftpy2.server import TThreadedServer
from thriftpy2.thrift import TApplicationException, TMultiplexedProcessor, TProcessor
from thriftpy2.transport import TBufferedTransportFactory, TFramedTransportFactory, TServerSocket

HERE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
printing = threading.Lock()
shop = thriftpy2.load(os.path.join(HERE, "shop.thrift"), module_name="shop_thrift")

TRANSPORTS = {"buffered": TBufferedTransportFactory, "framed": TFramedTransportFactory}
PROTOCOLS = {"binary": TBinaryProtocolFactory, "compact": TCompactProtocolFactory}


class Shop:
    def find(self, name):
        if name.startswith("no"):
            raise shop.Missing(code=7, reason=f"there is no {name}")
        return shop.Item(name=name, price=1250, tags=["hot", "green"], stock={"north": 3}, sold=False)

    def total(self, items):
        return sum(item.price for item in items)

    def big(self, size):
        return "7" * size

    def ping(self):
        pass

    def note(self, text):
        pass

    def crash(self, text):
        # This library closes the connection on what is not declared, so it says so itself.
        raise TApplicationException(TApplicationException.INTERNAL_ERROR, f"crashed: {text}")


class Processor(TProcessor):
    """Answers what a method did not declare, as the generated code of other languages does."""

    def handle_exception(self, exception, result):
        if not isinstance(exception, TApplicationException):
            super().handle_exception(exception, result)

    def process(self, iprot, oprot):
        api, seqid, result, call = self.process_in(iprot)
        if isinstance(result, TApplicationException):
            return self.send_exception(oprot, api, result, seqid)
        try:
            result.success = call()
        except TApplicationException as failed:
            return self.send_exception(oprot, api, failed, seqid)
        except Exception as failed:  # what is declared is put into the result, all else raised again
            self.handle_exception(failed, result)
        if not result.oneway:
            self.send_result(oprot, api, result, seqid)


def serve(host, port, transport, protocol, service):
    processor = Processor(shop.Shop, Shop())
    if service != "-":
        several = TMultiplexedProcessor()
        several.register_processor(service, processor)
        several.process = lambda iprot, oprot: Processor.process(several, iprot, oprot)
        several.handle_exception = lambda failed, result: TProcessor.handle_exception(several, failed, result)
        processor = several
    server = TThreadedServer(
        processor, TServerSocket(host, port, client_timeout=None),
        iprot_factory=PROTOCOLS[protocol](), itrans_factory=TRANSPORTS[transport](), daemon=True,
    )
    server.serve()


class Client:
    def __init__(self, arguments):
        host, port, transport, protocol, service = arguments
        factory = PROTOCOLS[protocol]()
        if service != "-":
            factory = TMultiplexedProtocolFactory(factory, service)
        self.service = service
        self.stub = make_client(
            shop.LargerShop, host, int(port), proto_factory=factory, trans_factory=TRANSPORTS[transport](), timeout=20_000)

    def call(self, method, *arguments):
        row = {"begin": time.time_ns(), "protocol": "thrift", "method": method, "outcome": "ok"}
        if self.service != "-":
            row["service"] = self.service
        if method == "note":
            row["one_way"] = True
        try:
            getattr(self.stub, method)(*arguments)
        except shop.Missing as missing:
            row.update(outcome="exception", text=missing.reason)
        except TApplicationException as failed:
            row.update(outcome="error", code=failed.type, text=failed.message)
        row["end"] = time.time_ns()
        with printing:
            print(json.dumps(row), flush=True)

    def each(self):
        self.call("ping")
        self.call("find", "tea")
        self.call("find", "nothing, über 价格")
        self.call("total", items(3))
        self.call("note", "a note")
        self.call("crash", "here")
        self.call("unknown")
        self.call("big", 300_000)
        self.call("ping")

    def load(self, number):
        if number % 2 == 0:
            self.call("find", f"tea-{number}")
        else:
            self.call("total", items(number % 7))


def items(count):
    return [shop.Item(name=f"item {n}", price=n * 100, tags=["x"] * n, stock={"north": n}, sold=n % 2 == 0) for n in range(count)]


def run(arguments, kind, count):
    client = Client(arguments)
    for number in range(count):
        client.each() if kind == "each" else client.load(number)
    client.stub.close()


def main():
    role, arguments = sys.argv[1], sys.argv[2:]
    if role == "server":
        serve(arguments[0], int(arguments[1]), *arguments[2:])
        return
    kind, count, threads = arguments[5], int(arguments[6]), int(arguments[7])
    workers = [threading.Thread(target=run, args=(arguments[:5], kind, count // threads or 1)) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


main()
