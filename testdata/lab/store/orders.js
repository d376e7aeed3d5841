// The orders service: PostgreSQL by knex and pg, MariaDB by knex and mysql2. It asks accounts by HTTP.
"use strict";
const fs = require("fs");
const http = require("http");
const { context, createContextKey, trace, TraceFlags } = require("@opentelemetry/api");
const { AsyncLocalStorageContextManager } = require("@opentelemetry/context-async-hooks");
const { wrapMainKnex, wrapMainKnexAsMiddleware } = require("@google-cloud/sqlcommenter-knex");
const Knex = require("knex");
const mysql = require("mysql2");
const pg = require("pg");

const OWN = ["10.90.2.4", 8084];
const ACCOUNTS = ["10.90.2.3", 8083];
const POSTGRESQL = ["10.90.2.5", 5432];
const MARIADB = ["10.90.2.6", 3306];
const CALLER = createContextKey("the exchange that is being served");

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());

/** What truth.py calls so: both ends, and the place on their connection. */
const exchange = (client, server, nth) => `${client.join(":")}>${server.join(":")}/${nth}`;
const verb = (sql) => sql.match(/^(?:\s|\/\*.*?\*\/)*(\w+)/s)[1].toUpperCase();
const now = () => Date.now() * 1e6;
const current = () => context.active().getValue(CALLER);

let random = 84n;
/** A span id; the same ones in each run. */
function spanId() {
  random = (random * 6364136223846793005n + 1442695040888963407n) % (1n << 64n);
  return (random | 1n).toString(16).padStart(16, "0");
}

/** Numbers the exchanges of connections, and writes down how each ended. */
class Wire {
  constructor(protocol, server) {
    Object.assign(this, { protocol, server, sent: new WeakMap() });
  }

  begin(connection, operation, asker = current()) {
    const nth = (this.sent.get(connection) || 0) + 1;
    this.sent.set(connection, nth);
    // That a connection ends is nobody's call.
    const ends = operation === "TERMINATE" || operation === "QUIT";
    const [at, caller] = [now(), ends ? "?" : asker || "-"];
    const { stream } = connection;
    const own = () => [stream.localAddress, stream.localPort];
    // The address is gone with the connection.
    const early = stream.localPort && own();
    return (status) => {
      const name = exchange(early || own(), this.server, nth);
      const fields = [at, name, "-", caller, this.protocol, operation, status, 1];
      fs.appendFileSync(process.env.TRUTH, fields.join("\t") + "\n");
    };
  }
}

const postgresql = new Wire("postgresql", POSTGRESQL);
const mariadb = new Wire("mysql", MARIADB);

function watchPg() {
  const { connect, query, end } = pg.Client.prototype;
  pg.Client.prototype.end = function (...rest) {
    postgresql.begin(this.connection, "TERMINATE")("sent");
    return end.apply(this, rest);
  };
  pg.Client.prototype.connect = function (...rest) {
    const done = postgresql.begin(this.connection, "LOGIN");
    this.once("connect", () => done("ok"));
    return connect.apply(this, rest);
  };
  pg.Client.prototype.query = function (config, values, callback) {
    const done = postgresql.begin(this.connection, verb(typeof config === "string" ? config : config.text));
    const answered = (error) => done(error ? error.code : "ok");
    const own = [values, callback].find((argument) => typeof argument === "function");
    if (own) {
      const told = (error, result) => (answered(error), own(error, result));
      return typeof values === "function" ? query.call(this, config, told) : query.call(this, config, values, told);
    }
    const result = query.call(this, config, values);
    result.then(() => answered(), answered);
    return result;
  };
}

function watchMysql() {
  const base = Object.getPrototypeOf(mysql.Connection.prototype);
  const add = base.addCommand;
  const names = { ClientHandshake: () => "LOGIN", Prepare: () => "PREPARE", Quit: () => "QUIT", Ping: () => "PING" };
  base.addCommand = function (command) {
    const operation = (names[command.constructor.name] || (() => verb(command.sql || command.options.sql)))();
    // A pool hands on a connection while it serves whoever had it before.
    const { caller } = command.options || command._executeOptions || {};
    const asker = caller || current();
    // What is prepared already is not sent, nor what could not be prepared.
    let done = () => {};
    const { start } = command;
    command.start = (packet, connection) => {
      const next = start.call(command, packet, connection);
      if (next || operation !== "PREPARE") done = mariadb.begin(this, operation, asker);
      if (operation === "QUIT") done("sent");
      return next;
    };
    let failed = false;
    const fail = (error) => {
      if (!failed) done(error.errno);
      failed = true;
    };
    command.once("error", fail);
    const { onResult } = command;
    if (onResult) {
      command.onResult = (error, ...rest) => {
        if (error) fail(error);
        onResult(error, ...rest);
      };
    }
    command.once("end", () => failed || operation === "QUIT" || done("ok"));
    return add.call(this, command);
  };
}

watchPg();
watchMysql();
const login = { user: "shop", password: "correct horse", database: "shop" };
const include = { traceparent: true, tracestate: true, route: true, db_driver: true };
const options = { TraceProvider: "OpenTelemetry" };
wrapMainKnex(Knex, include, options);
const withRoute = wrapMainKnexAsMiddleware(Knex, include, options);
const pool = { min: 0, max: 3 };
const store = Knex({ client: "pg", connection: { ...login, host: POSTGRESQL[0], port: POSTGRESQL[1] }, version: "15.0", pool });
const stock = Knex({ client: "mysql2", connection: { ...login, host: MARIADB[0], port: MARIADB[1] }, pool });
const search = new pg.Pool({ ...login, host: POSTGRESQL[0], port: POSTGRESQL[1], max: 2 });
const shelves = mysql.createPool({ ...login, host: MARIADB[0], port: MARIADB[1], connectionLimit: 2 }).promise();

/** Asks accounts, each time on a connection of its own, and passes the trace on. */
function ask(method, path) {
  return new Promise((resolve, reject) => {
    const [at, caller] = [now(), current()];
    const { traceId, spanId: span } = trace.getSpanContext(context.active());
    const headers = { traceparent: `00-${traceId}-${span}-01` };
    const request = http.request({ host: ACCOUNTS[0], port: ACCOUNTS[1], method, path, headers, agent: false });
    let own;
    request.on("socket", (socket) => socket.on("connect", () => (own = [socket.localAddress, socket.localPort])));
    request.on("error", reject);
    request.on("response", (response) => {
      response.resume();
      response.on("end", () => {
        const fields = [at, exchange(own, ACCOUNTS, 1), "-", caller, "http", `${method} ${path}`, response.statusCode, 1];
        fs.appendFileSync(process.env.TRUTH, fields.join("\t") + "\n");
        resolve(response.statusCode);
      });
    });
    request.end();
  });
}

/** An identifier in words that no standard knows, as people write it by hand. */
const byHand = () => {
  const { traceId } = trace.getSpanContext(context.active());
  return `/* service=orders trace_id=${traceId} */`;
};

/** A statement that says in which exchange it was asked for. */
const asked = (sql) => ({ sql, caller: current() });

const ROUTES = {
  /** knex on PostgreSQL, and accounts in between. */
  "GET order": async (id) => {
    const row = await store("orders").where({ id }).first("account", "note");
    if (!row) return [404, {}];
    const status = await ask("GET", `/accounts/${row.account}`);
    await store("orders").where({ id }).update({ note: `seen, accounts said ${status}` });
    return [200, row];
  },
  /** knex on MariaDB, in a transaction. */
  "POST order": async (id) => {
    await stock.transaction(async (inside) => {
      await inside("shelf").insert([{ item: id, taken: 1 }, { item: id + 1, taken: 2 }]);
      await inside("shelf").where({ item: id }).increment("taken", 3);
    });
    return [201, { id }];
  },
  /** Prepared by mysql2: the first call on a connection prepares, later ones execute only. */
  "GET shelf": async (id) => {
    const [rows] = await shelves.execute(asked("SELECT item, taken FROM shelf WHERE item = ?"), [id]);
    await shelves.execute(asked("UPDATE shelf SET taken = taken + ? WHERE item = ?"), [1, id]);
    return [200, rows];
  },
  /** Prepared by pg with a name, then without one. */
  "GET search": async (id) => {
    const text = "SELECT id, note FROM orders WHERE account = $1 AND id > $2";
    await search.query({ name: "search", text, values: [3, id] });
    const { rows } = await search.query(`${text} ${byHand()}`, [4, 0]);
    return [200, rows];
  },
  "GET count": async () => {
    const [[row]] = await shelves.query(asked(`SELECT count(*) AS n FROM shelf ${byHand()}`));
    return [200, row];
  },
  /** Errors of both, by all four ways. */
  "GET fault": async (id) => {
    const ways = [
      () => store("no_such_table").select("id"),
      () => stock("no_such_table").select("id"),
      () => search.query("SELECT no_such_column FROM orders WHERE id = $1", [id]),
      () => shelves.execute(asked("SELECT no_such_column FROM shelf WHERE item = ?"), [id]),
      () => stock("shelf").insert({ item: 1, taken: 1 }),
    ];
    await ways[id]();
  },
};

const served = new WeakMap();

async function serve(request, response) {
  const { socket, method, url, headers } = request;
  served.set(socket, (served.get(socket) || 0) + 1);
  const caller = exchange([socket.remoteAddress, socket.remotePort], OWN, served.get(socket));
  const [, traceId] = (headers.traceparent || `00-${spanId()}${spanId()}`).split("-");
  const span = trace.wrapSpanContext({ traceId, spanId: spanId(), traceFlags: TraceFlags.SAMPLED });
  const [kind, id] = url.slice(1).split("/");
  request.route = { path: `/${kind}/:id` };
  let answer;
  await context.with(trace.setSpan(context.active().setValue(CALLER, caller), span), async () => {
    await new Promise((resolve) => withRoute(request, response, resolve));
    answer = await ROUTES[`${method} ${kind}`](Number(id)).catch((error) => [500, { error: error.code }]);
  });
  const text = JSON.stringify(answer[1]);
  response.writeHead(answer[0], { "Content-Type": "application/json", "Content-Length": text.length });
  response.end(text);
}

http.createServer(serve).listen(OWN[1], OWN[0]);
