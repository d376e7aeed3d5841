"""collector.py sw8|datadog: takes what agents of SkyWalking or of Datadog report, on the socket $LAB_COLLECTOR.

It keeps the reports as they came, a line for each; spans.py reads them when there is time.
"""
import base64
import os
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SOCKET = os.environ["LAB_COLLECTOR"]


def keep(kind, report):
    with open(os.environ["LAB_REPORTS"], "ab", buffering=0) as file:
        file.write(f"{kind} ".encode() + base64.b64encode(report) + b"\n")


def skywalking():
    """Its agents talk gRPC; each answer is an empty message."""
    import grpc

    class Services(grpc.GenericRpcHandler):
        def service(self, call):
            _, service, method = call.method.split("/")
            segments = service.endswith("TraceSegmentReportService") and method == "collect"

            def answer(messages, _):
                for message in messages:
                    if segments:
                        keep("sw8", message)
                return b""
            return grpc.stream_unary_rpc_method_handler(answer)

    server = grpc.server(ThreadPoolExecutor(32), handlers=[Services()])
    server.add_insecure_port(f"unix:{SOCKET}")
    server.start()
    server.wait_for_termination()


class Agent(BaseHTTPRequestHandler):
    """The agent of Datadog, as far as its libraries need it."""
    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/v0.4/traces":
            keep("datadog", body)
        self.answer(b'{"rate_by_service":{}}')

    do_POST = do_PUT

    def do_GET(self):
        self.answer(b'{"version":"7.60.0","endpoints":["/v0.4/traces"],"client_drop_p0s":false}')

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        return "agent"

    def log_message(self, form, *words):
        # What is no report of traces is of interest if it fails.
        if "/traces" not in self.path:
            super().log_message(form, *words)


class Server(ThreadingHTTPServer):
    address_family = socket.AF_UNIX

    def server_bind(self):
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "agent", 0


if __name__ == "__main__":
    threading.current_thread().name = "collector"
    skywalking() if sys.argv[1] == "sw8" else Server(SOCKET, Agent).serve_forever()
