// Calls server.js in each protocol and form, and writes down each call; see README.md.
// node client.js http://HOST:PORT 2|1.1 TIMES: a line of JSON for each call, as compare.py wants it.
import crypto from 'node:crypto'
import { Code, ConnectError, createClient } from '@connectrpc/connect'
import {
  compressionGzip, createConnectTransport, createGrpcTransport, createGrpcWebTransport,
} from '@connectrpc/connect-node'
import * as web from '@connectrpc/connect-web'
import { Shop, message, wait } from './shop.js'

const [baseUrl, httpVersion, times] = process.argv.slice(2)
const many = Number(times)
const make = { connect: createConnectTransport, 'grpc-web': createGrpcWebTransport, grpc: createGrpcTransport }
// What browsers use, with the `fetch` of Node.js, which speaks HTTP/1.1 only.
const makeInBrowser = { connect: web.createConnectTransport, 'grpc-web': web.createGrpcWebTransport }
const protocols = httpVersion === '2' ? ['connect', 'grpc-web', 'grpc'] : ['connect', 'grpc-web']
const forms = httpVersion === '2' ? ['binary', 'json', 'gzip'] : ['binary', 'json', 'gzip', 'browser']
const ways = protocols.flatMap((protocol) => forms.map((form) => ({ protocol, form })))
// Only HTTP/2 lets both sides send at a time.
const both = httpVersion === '2'

const plan = [
  { method: 'price', times: 5 },
  { method: 'price', order: { size: 5000 }, fill: 3000 },
  { method: 'price', order: { size: 300000 }, fill: 200000 },
  { method: 'look', order: { size: 10 }, times: 3 },
  { method: 'absent' },
  // Every code there is, with texts beyond ASCII, and none.
  ...Array.from({ length: 16 }, (_, n) => (
    { method: 'fail', order: { code: n + 1, text: ['no number: 100 %', 'kein Stück „7“ – 没有', '', 'a\nb'][n % 4] } })),
  // One that is large enough to be compressed.
  { method: 'fail', order: { code: 11, text: 'so '.repeat(600).trim() } },
  { method: 'list', order: { count: 10 } },
  { method: 'list', order: { count: 0 } },
  { method: 'list', order: { count: 5, code: 11, text: 'after five' } },
  { method: 'list', order: { count: 0, code: 9 } },
  { method: 'list', order: { count: 4, size: 70000 } },
  { method: 'upload', order: { count: 8 } },
  { method: 'upload', order: { count: 3 }, fill: 40000 },
  { method: 'upload', order: { count: 4, code: 10, text: 'not that one' } },
  ...(both ? [
    { method: 'chat', order: { count: 6 } },
    { method: 'chat', order: { count: 5, pause: 5, size: 20000 }, fill: 5000 },
    { method: 'chat', order: { count: 3, code: 15, text: 'lost' } },
  ] : []),
  { method: 'price', timeout: 5000 },
  { method: 'sleep', order: { sleep: 400 }, timeout: 100 },
  { method: 'sleep', order: { sleep: 400 }, timeout: 150, times: 3, at: 3 },
  { method: 'sleep', order: { sleep: 400 }, cancel: 60 },
  { method: 'sleep', order: { sleep: 30 }, timeout: 20000 },
  { method: 'list', order: { count: 40, pause: 15 }, stop: 3 },
  { method: 'price', times: many, at: 32, order: { size: 300 } },
  { method: 'list', times: Math.ceil(many / 20), at: 12, order: { count: 8, size: 2000 } },
  { method: 'price' },
]

const NAMES = { [Code.Canceled]: 'CANCELLED' }
const nameOf = (code) => NAMES[code] ?? Code[code].replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase()
const now = () => Number(process.hrtime.bigint() + offset)
const offset = BigInt(Date.now()) * 1000000n - process.hrtime.bigint()
// The server compresses what is longer.
const PACKED = 1024
const log = (row) => console.log(JSON.stringify(row))

class Calls {
  constructor({ protocol, form }) {
    this.protocol = protocol
    // gRPC has its status in headers, and what browsers use unpacks whole bodies only.
    this.isPacked = (form === 'gzip' && protocol !== 'grpc') || (form === 'browser' && protocol === 'connect')
    // There, clients cannot send streams.
    this.inBrowser = form === 'browser'
    const common = { baseUrl, useBinaryFormat: form !== 'json', useHttpGet: true }
    this.client = createClient(Shop, this.inBrowser ? makeInBrowser[protocol](common) : make[protocol]({
      ...common,
      httpVersion,
      compressMinBytes: 200,
      ...(form === 'gzip' ? { sendCompression: compressionGzip } : { acceptCompression: [] }),
    }))
  }

  // Only the last of a stream of requests names a status.
  request(step, number) {
    const order = { ...step.order }
    if (step.fill) order.fill = 'q'.repeat(step.fill)
    if (step.method !== 'list' && number + 1 < (order.count ?? 0)) delete order.code
    return message(JSON.stringify(order))
  }

  async one(step) {
    const trace = crypto.randomBytes(16).toString('hex')
    const gone = new AbortController()
    const isStream = ['list', 'upload', 'chat'].includes(step.method)
    const row = {
      begin: now(), end: 0, protocol: this.protocol, service: Shop.typeName,
      method: step.method[0].toUpperCase() + step.method.slice(1), id: trace, unary: !isStream, sent: 0, received: 0,
    }
    if (step.timeout) row.timeout = step.timeout
    const options = {
      headers: { traceparent: `00-${trace}-${trace.slice(16)}-01` }, signal: gone.signal, timeoutMs: step.timeout,
    }
    if (step.cancel) setTimeout(() => gone.abort(), step.cancel)
    let next = () => {}
    const requests = async function * (calls) {
      for (let n = 0; n < step.order.count; n++) {
        row.sent++
        const answered = new Promise((done) => { next = done })
        yield calls.request(step, n)
        await wait(step.order.pause)
        // One asks and the other answers, in turns.
        if (step.method === 'chat') await answered
      }
    }
    const failure = await this.run(step, options, row, requests, gone, () => next()).then(() => null, (error) => error)
    row.end = now()
    next()
    const error = failure && ConnectError.from(failure)
    row.code = error ? error.code : 0
    row.status = error ? nameOf(error.code) : 'OK'
    if (error?.rawMessage) row.text = error.rawMessage
    if (this.isPacked && row.text?.length > PACKED) row.packed = true
    if (step.cancel || step.stop || (step.timeout && error)) row.gave_up = true
    log(row)
  }

  async run(step, options, row, requests, gone, answered) {
    if (step.method === 'upload') {
      await this.client.upload(requests(this), options)
      row.received = 1
    } else if (step.method === 'list' || step.method === 'chat') {
      const isChat = step.method === 'chat'
      if (!isChat) row.sent = 1
      const answers = isChat ? this.client.chat(requests(this), options) : this.client.list(this.request(step, 0), options)
      for await (const _ of answers) {
        row.received++
        answered()
        if (row.received === step.stop) gone.abort()
      }
    } else {
      row.sent = 1
      await this.client[step.method](this.request(step, 0), options)
      row.received = 1
    }
  }

  async follow() {
    for (const step of plan) {
      if (this.inBrowser && step.method === 'upload') continue
      let left = step.times ?? 1
      const worker = async () => { while (left-- > 0) await this.one(step) }
      await Promise.all(Array.from({ length: step.at ?? 1 }, worker))
    }
  }
}

for (const way of ways) await new Calls(way).follow()
process.exit(0)
