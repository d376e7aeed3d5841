// The stock service: asks its Redis, the shelves, for each item. All that it serves shares one
// connection to it, as is usual with Node: commands of several requests follow each other.
"use strict";
const { Resolver } = require("dns").promises;
const fs = require("fs");
const http = require("http");
const net = require("net");

const OWN = ["10.90.0.4", 8082];
const SLOW = 50;

/** What truth.py calls so: both ends, and the place on their connection. */
const exchange = (client, server, nth) => `${client.join(":")}>${server.join(":")}/${nth}`;

class Redis {
  constructor(host) {
    this.server = [host, 6379];
    this.socket = net.connect({ host, port: 6379, noDelay: true });
    this.waiting = [];
    this.sent = 0;
    this.unread = "";
    this.socket.on("data", (bytes) => this.read(bytes.toString("latin1")));
  }

  /** Replies to all commands, which go out in one write. */
  call(caller, ...commands) {
    const encode = (words) => `*${words.length}\r\n${words.map((w) => `$${w.length}\r\n${w}\r\n`).join("")}`;
    const replies = commands.map(([name]) => new Promise((resolve) => {
      this.sent += 1;
      this.waiting.push({ name, caller, nth: this.sent, at: Date.now() * 1e6, resolve });
    }));
    this.socket.write(commands.map((c) => encode(c.map(String))).join(""));
    return Promise.all(replies);
  }

  read(text) {
    this.unread += text;
    for (;;) {
      const found = reply(this.unread, 0);
      if (!found) return;
      this.unread = this.unread.slice(found.end);
      const { name, caller, nth, at, resolve } = this.waiting.shift();
      const ends = exchange([this.socket.localAddress, this.socket.localPort], this.server, nth);
      const status = found.error ? "error" : "ok";
      const fields = [at, ends, "-", caller, "redis", name, status, 1];
      fs.appendFileSync(process.env.TRUTH, fields.join("\t") + "\n");
      resolve(found);
    }
  }
}

/** The reply at `from` and where it ends; nothing if more is to come. */
function reply(text, from) {
  const line = text.indexOf("\r\n", from);
  if (line < 0) return undefined;
  const word = text.slice(from + 1, line);
  let end = line + 2;
  if (text[from] === "$" && Number(word) >= 0) {
    end += Number(word) + 2;
    return text.length < end ? undefined : { value: text.slice(line + 2, end - 2), end };
  }
  if (text[from] === "*") {
    const value = [];
    for (let left = Number(word); left > 0; left -= 1) {
      const item = reply(text, end);
      if (!item) return undefined;
      value.push(item.value);
      end = item.end;
    }
    return { value, end };
  }
  return { value: word, error: text[from] === "-", end };
}

async function main() {
  const resolver = new Resolver();
  resolver.setServers(["10.90.0.5"]);
  const shelves = new Redis((await resolver.resolve4("shelves.shop.example"))[0]);
  const served = new WeakMap();
  let busy = true;

  async function serve(request, response) {
    const { socket, method, url } = request;
    served.set(socket, (served.get(socket) || 0) + 1);
    const caller = exchange([socket.remoteAddress, socket.remotePort], OWN, served.get(socket));
    const [kind, item] = url.slice(1).split("/");
    const answer = (status, body) => {
      const text = JSON.stringify(body);
      response.writeHead(status, { "Content-Type": "application/json", "Content-Length": text.length });
      response.end(text);
    };

    if (item === "11" && busy) {
      busy = false;
      return answer(503, { error: "counting, come again" });
    }
    if (method === "POST") {
      const [left] = await shelves.call(caller, ["HINCRBY", `item:${item}`, "left", -2], ["LPUSH", "taken", item]);
      return answer(200, { item, left: left.value });
    }
    const [found] = await shelves.call(caller, ["HGETALL", `item:${item}`]);
    if (kind === "legacy") {
      // No length and no chunks: the body ends where the connection does.
      return socket.end(`HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nitem ${item}: ${found.value}\n`);
    }
    if (found.error) return answer(500, { error: "the shelf is broken" });
    if (found.value.length === 0) return answer(404, { error: "no such item" });
    if (item === "12") await new Promise((resolve) => setTimeout(resolve, SLOW));
    return answer(200, { item, shelf: found.value[1], left: found.value[3] });
  }

  http.createServer(serve).listen(OWN[1], OWN[0]);
}

main();
