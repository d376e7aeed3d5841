// The ratings of a book, in MariaDB. The average is kept for half a second, the names of reviewers for five.
"use strict";

const http = require("node:http");
const mysql = require("mysql2/promise");

const pool = mysql.createPool({
  host: process.env.DATABASE, port: 3306, user: "ratings", password: "much ado", database: "ratings",
  connectionLimit: 12, maxIdle: 12,
});

class Kept {
  constructor(milliseconds) {
    this.milliseconds = milliseconds;
    this.values = new Map();
  }

  async get(key, find) {
    const kept = this.values.get(key);
    if (kept && kept.until > Date.now()) return kept.value;
    const value = await find();
    this.values.set(key, { value, until: Date.now() + this.milliseconds });
    return value;
  }
}
const averages = new Kept(500);
const reviewers = new Kept(5000);

// What is asked of the database for a request; each statement has a mark (harness/marks.py).
class Statements {
  constructor(mark) {
    this.mark = mark;
    this.count = 0;
  }

  async ask(statement, values) {
    let level = 12;
    while (!this.mark.startsWith("0000", level)) level += 4;
    const place = (++this.count).toString(16).padStart(4, "0");
    const mark = this.mark.slice(0, level) + place + this.mark.slice(level + 4);
    return (await pool.query(`${statement} /*${mark}*/`, values))[0];
  }
}

const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

// 5 to 60 ms, of a log-normal distribution by the method of Box and Muller.
function work() {
  const normal = Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  return sleep(Math.min(60, Math.max(5, Math.exp(2.3 + 0.6 * normal))));
}

async function ratings(statements, product) {
  await work();
  const rows = await statements.ask("SELECT reviewer, stars FROM ratings WHERE product = ? ORDER BY reviewer LIMIT 4", [product]);
  const named = rows.map(async ({ reviewer, stars }) => {
    const find = () => statements.ask("SELECT name FROM reviewers WHERE id = ?", [reviewer]);
    const [found] = await reviewers.get(reviewer, find);
    return { reviewer: found ? found.name : "unknown", stars };
  });
  return [200, { id: product, ratings: await Promise.all(named) }];
}

async function average(statements, product) {
  const find = () => statements.ask("SELECT AVG(stars) AS average FROM ratings WHERE product = ?", [product]);
  const [{ average }] = await averages.get(product, find);
  return [200, { id: product, average: Number(average) }];
}

async function rate(statements, product, { reviewer, stars }) {
  try {
    await statements.ask("INSERT INTO ratings VALUES (?, ?, ?)", [product, reviewer, stars]);
    return [201, { id: product, reviewer, stars }];
  } catch (error) {
    return [error.code === "ER_DUP_ENTRY" ? 409 : 500, { error: error.code }];
  }
}

// Counted after the answer.
async function visited(statements, product) {
  await work();
  await statements.ask("INSERT INTO visits (product) VALUES (?)", [product]);
}

async function serve(request) {
  const [, what, id, more] = request.url.split("/");
  const statements = new Statements(request.headers["x-lab"]);
  if (what === "visits") {
    visited(statements, Number(id)).catch(console.error);
    return [202, {}];
  }
  if (request.method === "POST") {
    let body = "";
    for await (const piece of request) body += piece;
    return rate(statements, Number(id), JSON.parse(body));
  }
  return more === "average" ? average(statements, Number(id)) : ratings(statements, Number(id));
}

const server = http.createServer(async (request, response) => {
  const [status, content] = await serve(request).catch((error) => [500, { error: error.message }]);
  const body = JSON.stringify(content);
  response.writeHead(status, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) });
  response.end(body);
});
server.keepAliveTimeout = 75000;
server.listen(9080, "127.0.0.1");
