// front: what clients ask; it asks all others.
"use strict";
require("./tracing").start("front");
const { ask, serve, work } = require("./service");

const OWN = ["10.96.0.3", 8080];
const ORDERS = ["10.96.0.4", 8081];
const STOCK = ["10.96.0.5", 8082];
const ACCOUNTS = ["10.96.0.6", 8083];

/** Asks once more, up to twice, if it is told to come back later. */
async function insist(...request) {
  for (let left = 2; ; left -= 1) {
    const answer = await ask(...request);
    if (answer[0] !== 503 || left === 0) return answer;
    await work(8);
  }
}

serve(OWN, {
  "GET orders": async ([number]) => {
    await work();
    const [[status, order], [, item]] = await Promise.all([
      ask(ORDERS, "GET", `/orders/${number}`),
      ask(STOCK, "GET", `/items/${1 + (number % 200)}`),
    ]);
    if (status !== 200) return [status, order];
    const [, name] = await ask(ACCOUNTS, "GET", `/names/${order.account}`);
    return [200, { ...order, item, name }];
  },
  "POST orders": async (_, order) => {
    await work();
    const [reserved, answer] = await insist(STOCK, "POST", `/reservations/${order.item}/${order.number}`);
    return reserved === 201 ? ask(ORDERS, "POST", "/orders", order) : [reserved, answer];
  },
  "GET items": async ([id]) => {
    await work();
    return ask(STOCK, "GET", `/items/${id}`);
  },
  "GET accounts": async ([id]) => {
    await work();
    return ask(ACCOUNTS, "GET", `/accounts/${id}`);
  },
  "GET report": async ([kind]) => ask(ORDERS, "GET", `/report/${kind}`),
});
