"""The tracing libraries of the services in Python. `start` comes before what they change is imported."""
import base64
import contextvars
import os

IDS = os.environ["LAB_IDS"]


def start(service):
    if IDS in ("w3c", "b3", "b3-single", "jaeger"):
        opentelemetry(service)
    elif IDS == "sw8":
        from skywalking import agent, config
        # The collector listens on a socket of the file system, so that reports are on no wire.
        config.init(agent_collector_backend_services=f"unix:{os.environ['LAB_COLLECTOR']}", agent_name=service,
                    agent_instance_name=f"{service}-1", agent_logging_level="ERROR", agent_log_reporter_active=False,
                    agent_meter_reporter_active=False, agent_profile_active=False)
        with_older_aiohttp(agent.start)
    elif IDS == "datadog":
        # Its settings are in the environment.
        import ddtrace.auto  # noqa: F401


def whole(application):
    """An application of aiohttp with what has to be told of it."""
    if IDS == "datadog":
        from ddtrace.contrib.aiohttp import trace_app
        trace_app(application, service=os.environ["DD_SERVICE"])
    return application


def with_older_aiohttp(action):
    """What SkyWalking changes took no handler in the aiohttp that it knows."""
    from aiohttp.web_protocol import RequestHandler
    handle = RequestHandler._handle_request
    handlers = contextvars.ContextVar("handlers")
    RequestHandler._handle_request = lambda own, request, start: handle(own, request, start, handlers.get())
    action()
    changed = RequestHandler._handle_request

    async def with_handler(own, request, start, handler):
        handlers.set(handler)
        return await changed(own, request, start)
    RequestHandler._handle_request = with_handler


def opentelemetry(service):
    from opentelemetry import propagate, trace
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
    from opentelemetry.instrumentation.aiohttp_server import AioHttpServerInstrumentor
    from opentelemetry.instrumentation.flask import FlaskInstrumentor
    from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
    from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
    from opentelemetry.instrumentation.pymysql import PyMySQLInstrumentor
    from opentelemetry.instrumentation.requests import RequestsInstrumentor
    from opentelemetry.propagators.b3 import B3MultiFormat, B3SingleFormat
    from opentelemetry.propagators.jaeger import JaegerPropagator
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    class File(SpanExporter):
        """Writes a line for each batch, in one write; spans.py makes JSON of it."""

        def export(self, spans):
            with open(os.environ["LAB_REPORTS"], "ab", buffering=0) as file:
                file.write(b"otlp " + base64.b64encode(encode_spans(spans).SerializeToString()) + b"\n")
            return SpanExportResult.SUCCESS

    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(File(), schedule_delay_millis=500, max_queue_size=1 << 16))
    trace.set_tracer_provider(provider)
    formats = {"w3c": TraceContextTextMapPropagator, "b3": B3MultiFormat, "b3-single": B3SingleFormat,
               "jaeger": JaegerPropagator}
    propagate.set_global_textmap(formats[IDS]())
    for instrumentor in (AioHttpServerInstrumentor, FlaskInstrumentor, HTTPXClientInstrumentor, RequestsInstrumentor):
        instrumentor().instrument()
    for instrumentor in (PsycopgInstrumentor, PyMySQLInstrumentor):
        instrumentor().instrument(enable_commenter=True, skip_dep_check=True)
