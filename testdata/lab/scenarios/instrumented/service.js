// What both services in Node do: serve, ask others over kept connections, and mark what they send.
"use strict";
const { AsyncLocalStorage } = require("async_hooks");
const http = require("http");

const LEVELS = 5;
// The request that is being served: its mark, and how many calls were made for it.
const current = new AsyncLocalStorage();
const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });

/** The mark of the next call of the current request, as harness/marks.py makes them. */
function nextMark() {
  const caller = current.getStore();
  if (!caller) return undefined;
  caller.calls += 1;
  const places = caller.mark.slice(12).match(/.{4}/g).filter((place) => place !== "0000");
  places.push(caller.calls.toString(16).padStart(4, "0"));
  return (caller.mark.slice(0, 12) + places.join("")).padEnd(12 + 4 * LEVELS, "0");
}

/** Work that takes some time: log-normal, from 5 to 60 ms. */
function work(median = 15) {
  const normal = Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  const time = Math.min(60, Math.max(5, median * Math.exp(0.6 * normal)));
  return new Promise((done) => setTimeout(done, time));
}

/** Asks another service: its status and its answer. */
function ask(host, method, path, body) {
  const text = body && JSON.stringify(body);
  const headers = { "X-Lab": nextMark() };
  if (body) headers["Content-Type"] = "application/json";
  if (method === "POST") headers["Content-Length"] = text ? Buffer.byteLength(text) : 0;
  const [name, port] = host;
  return new Promise((resolve, reject) => {
    const request = http.request({ host: name, port, method, path, headers, agent }, async (response) => {
      let answer = "";
      for await (const piece of response) answer += piece;
      resolve([response.statusCode, answer && JSON.parse(answer)]);
    });
    request.on("error", reject);
    request.end(text);
  });
}

/** Serves `routes`, by method and first part of the path; each gives a status and what is answered. */
function serve([host, port], routes) {
  const server = http.createServer((request, response) => {
    current.run({ mark: request.headers["x-lab"], calls: 0 }, async () => {
      let text = "";
      for await (const piece of request) text += piece;
      const [kind, ...rest] = request.url.slice(1).split("/");
      const route = routes[`${request.method} ${kind}`];
      const [status, answer] = await route(rest.map(Number), text && JSON.parse(text));
      const body = JSON.stringify(answer);
      response.writeHead(status, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) });
      response.end(body);
    });
  });
  server.keepAliveTimeout = 120_000;
  server.listen(port, host);
}

module.exports = { ask, nextMark, serve, work };
