// The tracing libraries of the services in Node. `start` comes before what they change is required.
"use strict";
const fs = require("fs");

const IDS = process.env.LAB_IDS;

function start(service) {
  if (["w3c", "b3", "b3-single", "jaeger"].includes(IDS)) {
    openTelemetry(service);
  } else if (IDS === "sw8") {
    const agent = require("skywalking-backend-js").default;
    // The collector listens on a socket of the file system, so that reports are on no wire.
    agent.start({
      serviceName: service,
      serviceInstance: `${service}-1`,
      collectorAddress: `unix:${process.env.LAB_COLLECTOR}`,
      maxBufferSize: 10000,
    });
  } else if (IDS === "datadog") {
    // Its settings are in the environment.
    require("dd-trace").init({ plugins: true });
  }
}

function openTelemetry(service) {
  const { W3CTraceContextPropagator } = require("@opentelemetry/core");
  const { registerInstrumentations } = require("@opentelemetry/instrumentation");
  const { HttpInstrumentation } = require("@opentelemetry/instrumentation-http");
  const { MySQL2Instrumentation } = require("@opentelemetry/instrumentation-mysql2");
  const { JsonTraceSerializer } = require("@opentelemetry/otlp-transformer");
  const { B3InjectEncoding, B3Propagator } = require("@opentelemetry/propagator-b3");
  const { JaegerPropagator } = require("@opentelemetry/propagator-jaeger");
  const { resourceFromAttributes } = require("@opentelemetry/resources");
  const { BatchSpanProcessor } = require("@opentelemetry/sdk-trace-base");
  const { NodeTracerProvider } = require("@opentelemetry/sdk-trace-node");

  // Writes a line for each batch.
  const file = {
    export(spans, done) {
      fs.appendFileSync(process.env.LAB_REPORTS, `json ${Buffer.from(JsonTraceSerializer.serializeRequest(spans))}\n`);
      done({ code: 0 });
    },
    shutdown: async () => {},
  };
  const propagators = {
    w3c: () => new W3CTraceContextPropagator(),
    b3: () => new B3Propagator({ injectEncoding: B3InjectEncoding.MULTI_HEADER }),
    "b3-single": () => new B3Propagator({ injectEncoding: B3InjectEncoding.SINGLE_HEADER }),
    jaeger: () => new JaegerPropagator(),
  };
  new NodeTracerProvider({
    resource: resourceFromAttributes({ "service.name": service }),
    spanProcessors: [new BatchSpanProcessor(file, { scheduledDelayMillis: 500, maxQueueSize: 1 << 16 })],
  }).register({ propagator: propagators[IDS]() });
  registerInstrumentations({
    instrumentations: [new HttpInstrumentation(), new MySQL2Instrumentation({ addSqlCommenterCommentToQueries: true })],
  });
}

module.exports = { start };
