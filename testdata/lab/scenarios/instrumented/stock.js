// stock: items in MariaDB, by mysql2, with a cache of its own.
"use strict";
require("./tracing").start("stock");
const mysql = require("mysql2");
const { nextMark, serve, work } = require("./service");

const OWN = ["10.96.0.5", 8082];
const POOL = 10;
// Milliseconds for which an item is not asked for again.
const FRESH = 400;
const cached = new Map();

/** Marks statements as they are sent, so that the tracing libraries do not see it. */
function markStatements() {
  const base = Object.getPrototypeOf(mysql.Connection.prototype);
  const { addCommand } = base;
  base.addCommand = function (command) {
    const mark = command.constructor.name === "Query" && nextMark();
    const { start } = command;
    command.start = function (...rest) {
      if (mark) command.sql += ` /*${mark}*/`;
      return start.apply(this, rest);
    };
    return addCommand.call(this, command);
  };
}

markStatements();
const pool = mysql
  .createPool({ host: "10.96.0.8", user: "lab", password: "correct horse", database: "stock", connectionLimit: POOL })
  .promise();

/** Does it with a connection of the pool, which others wait for. */
async function connected(action) {
  const connection = await pool.getConnection();
  try {
    return await action(connection);
  } finally {
    connection.release();
  }
}

const ask = (sql, values) => connected(async (connection) => (await connection.query(sql, values))[0]);

const routes = {
  "GET items": async ([id]) => {
    const known = cached.get(id);
    if (known && Date.now() < known.until) return [200, known.item];
    await work(10);
    const [item] = await ask("SELECT id, name FROM items WHERE id = ?", [id]);
    if (!item) return [404, {}];
    [item.price] = await ask("SELECT cents FROM prices WHERE item = ?", [id]);
    cached.set(id, { item, until: Date.now() + FRESH });
    return [200, item];
  },
  "POST reservations": async ([item, number]) => {
    if (Math.random() < 0.08) return [503, { error: "too busy" }];
    await work(10);
    return connected(async (connection) => {
      await connection.beginTransaction();
      await connection.query("INSERT INTO reservations (item, number) VALUES (?, ?)", [item, number]);
      await connection.query("UPDATE items SET left_over = left_over - 1 WHERE id = ?", [item]);
      await connection.commit();
      return [201, { item }];
    });
  },
};

// The whole pool is there before it is asked.
Promise.all(Array.from({ length: POOL }, () => pool.getConnection())).then((connections) => {
  for (const connection of connections) connection.release();
  serve(OWN, routes);
});
