// A server of wirespan.lab.Shop that speaks Connect, gRPC-Web and gRPC; see README.md.
// node server.js HOST PORT-OF-HTTP/2 PORT-OF-HTTP/1.1
import http from 'node:http'
import http2 from 'node:http2'
import { ConnectError } from '@connectrpc/connect'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { Shop, message, wait } from './shop.js'

const [host, port2, port1] = process.argv.slice(2)
const filled = (order) => message('7'.repeat(Math.max(order.size ?? 0, 1)))
const orderOf = (request) => JSON.parse(request.value)

function failIfTold(order) {
  if (order.code) throw new ConnectError(order.text ?? '', order.code)
}

async function price(request) {
  return filled(orderOf(request))
}

const shop = {
  price,
  look: price,
  async fail(request) {
    failIfTold(orderOf(request))
    return message('')
  },
  async sleep(request) {
    await wait(orderOf(request).sleep)
    return message('awake')
  },
  async * list(request) {
    const order = orderOf(request)
    for (let n = 0; n < (order.count ?? 0); n++) {
      yield filled(order)
      await wait(order.pause)
    }
    failIfTold(order)
  },
  async upload(requests) {
    for await (const request of requests) failIfTold(orderOf(request))
    return message('7')
  },
  async * chat(requests) {
    for await (const request of requests) {
      const order = orderOf(request)
      failIfTold(order)
      yield filled(order)
    }
  },
}

// What a client gave up is no reason to end.
const handler = connectNodeAdapter({ routes: (router) => router.service(Shop, shop) })
http2.createServer(handler).listen(Number(port2), host)
http.createServer(handler).listen(Number(port1), host)
