#!/usr/bin/env python3
"""collector.py HOST PORT: takes all that is posted, as a collector of OpenTelemetry that never fails."""
import http.server
import sys


class Collector(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()


http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Collector).serve_forever()
