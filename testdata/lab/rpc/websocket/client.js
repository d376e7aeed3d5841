// Talks with server.js, and writes down what it sends and gets, a line each:
// connection, protocol, sort, operation, resource, outcome (tab-separated).
// node client.js ws://HOST:PORT [ROUNDS [PATH...]]
import { Client } from '@stomp/stompjs'
import { createClient } from 'graphql-ws'
import WebSocket from 'ws'

const [base, rounds = '2', ...paths] = process.argv.slice(2)
const count = Number(rounds)
const wants = (path) => paths.length === 0 || paths.includes(path)
const log = (...words) => console.log(words.join('\t'))
const pause = (ms) => new Promise((done) => setTimeout(done, ms))
const next = (socket, event) => new Promise((done) => socket.once(event, (...all) => done(all)))

async function chat(path) {
  const socket = new WebSocket(base + path)
  await next(socket, 'open')
  const talk = async (data) => {
    const binary = typeof data !== 'string'
    const operation = binary ? 'BINARY' : 'TEXT'
    socket.send(data)
    log(path, 'websocket', 'one_way', operation, path, 'sent')
    await next(socket, 'message')
    log(path, 'websocket', 'one_way', operation, path, 'got')
  }
  for (let n = 0; n < count; n++) {
    await talk(`hello ${n}`)
    await talk(Buffer.alloc(300, n))
    await talk('long '.repeat(20000))
    socket.send('one ', { fin: false })
    socket.ping('between')
    log(path, 'websocket', 'handshake', 'PING', path, 'sent')
    await next(socket, 'pong')
    socket.send('message', { fin: true })
    log(path, 'websocket', 'one_way', 'TEXT', path, 'sent')
    await next(socket, 'message')
    log(path, 'websocket', 'one_way', 'TEXT', path, 'got')
    socket.send('ping')
    log(path, 'websocket', 'one_way', 'TEXT', path, 'sent')
    await next(socket, 'ping')
    log(path, 'websocket', 'handshake', 'PING', path, 'got')
  }
  socket.send('close 4001')
  log(path, 'websocket', 'one_way', 'TEXT', path, 'sent')
  await next(socket, 'close')
  log(path, 'websocket', 'end', 'CLOSE', path, 'got')
  log(path, 'websocket', 'end', 'CLOSE', path, 'sent')
}

async function rpc(path) {
  const socket = new WebSocket(base + path)
  await next(socket, 'open')
  const ask = async (id, method, params, outcome) => {
    socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }))
    await next(socket, 'message')
    log(path, 'jsonrpc', 'call', method, path, outcome)
  }
  for (let n = 0; n < count; n++) {
    await ask(`${n}-1`, 'add', [n, 1], 'ok')
    await ask(1000 + n, 'fail', [], 'server_error')
    await ask(`${n}-2`, 'nothing', {}, 'client_error')
    socket.send(JSON.stringify({ jsonrpc: '2.0', method: 'note', params: ['x'.repeat(200)] }))
    log(path, 'jsonrpc', 'one_way', 'note', path, 'sent')
    const one = (id) => ({ jsonrpc: '2.0', id, method: 'add', params: [id, id] })
    socket.send(JSON.stringify([one(2000 + 2 * n), one(2001 + 2 * n)]))
    await next(socket, 'message')
    log(path, 'jsonrpc', 'call', 'add', path, 'ok')
    log(path, 'jsonrpc', 'call', 'add', path, 'ok')
  }
  socket.close(1000, 'done')
  await next(socket, 'close')
  log(path, 'websocket', 'end', 'CLOSE', path, 'sent')
  log(path, 'websocket', 'end', 'CLOSE', path, 'got')
}

async function graphql(path) {
  const client = createClient({ url: base + path, webSocketImpl: WebSocket, lazy: false })
  const run = (query, operationName) => new Promise((complete, error) => {
    client.subscribe({ query, operationName }, { next() {}, error, complete })
  })
  for (let n = 0; n < count; n++) {
    await run('query Hello { hello }', 'Hello')
    log(path, 'graphql', 'call', 'query', 'Hello', 'ok')
    await run('subscription Count { count(to: 5) }')
    log(path, 'graphql', 'call', 'subscription', 'Count', 'ok')
    await run('query Wrong { nothing }').catch(() => {})
    log(path, 'graphql', 'call', 'query', 'Wrong', 'server_error')
  }
  log(path, 'graphql', 'handshake', 'connection_init', path, 'ok')
  await client.dispose()
  log(path, 'websocket', 'end', 'CLOSE', path, 'sent')
  log(path, 'websocket', 'end', 'CLOSE', path, 'got')
  await pause(100)
}

async function stomp(path) {
  const client = new Client({
    webSocketFactory: () => new WebSocket(base + path, ['v12.stomp']),
    connectHeaders: { login: 'lab', passcode: 'canary-stomp-passcode' },
    heartbeatIncoming: 0,
    heartbeatOutgoing: 0,
  })
  await new Promise((done) => { client.onConnect = done; client.activate() })
  log(path, 'stomp', 'handshake', 'CONNECT', path, 'ok')
  let got = () => {}
  client.subscribe('/queue/orders', () => got())
  log(path, 'stomp', 'one_way', 'SUBSCRIBE', '/queue/orders', 'sent')
  for (let n = 0; n < count; n++) {
    const receipt = `r${n}`
    const done = new Promise((resolve) => client.watchForReceipt(receipt, resolve))
    const message = new Promise((resolve) => { got = resolve })
    client.publish({ destination: '/queue/orders', body: `order ${n}`, headers: { receipt } })
    await Promise.all([done, message])
    log(path, 'stomp', 'call', 'SEND', '/queue/orders', 'ok')
    log(path, 'stomp', 'one_way', 'MESSAGE', '/queue/orders', 'got')
  }
  await client.deactivate()
  log(path, 'stomp', 'call', 'DISCONNECT', '', 'ok')
  log(path, 'websocket', 'end', 'CLOSE', path, 'sent')
  log(path, 'websocket', 'end', 'CLOSE', path, 'got')
}

const talks = {
  '/chat': chat, '/squeezed': chat, '/rpc': rpc, '/squeezed-rpc': rpc,
  '/graphql': graphql, '/stomp': stomp,
}
for (const [path, talk] of Object.entries(talks)) {
  if (wants(path)) await talk(path)
}
