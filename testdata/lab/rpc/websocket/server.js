// A WebSocket server for the lab: chat, JSON-RPC 2.0, GraphQL and STOMP, by path and sub-protocol.
// node server.js PORT
import { createServer } from 'node:http'
import { GraphQLInt, GraphQLObjectType, GraphQLSchema, GraphQLString } from 'graphql'
import { useServer } from 'graphql-ws/use/ws'
import { WebSocketServer } from 'ws'

const deflate = { threshold: 0 }
const chat = new WebSocketServer({ noServer: true })
const squeezed = new WebSocketServer({ noServer: true, perMessageDeflate: deflate })
const rpc = new WebSocketServer({ noServer: true })
const squeezedRpc = new WebSocketServer({ noServer: true, perMessageDeflate: deflate })
const stomp = new WebSocketServer({ noServer: true, handleProtocols: () => 'v12.stomp' })
const graphql = new WebSocketServer({ noServer: true, handleProtocols: () => 'graphql-transport-ws' })

// Says each message again; "close CODE" closes, "ping" is answered by a ping of the server.
function say(socket) {
  socket.on('message', (data, isBinary) => {
    const words = data.toString().split(' ')
    if (!isBinary && words[0] === 'close') return socket.close(Number(words[1]), 'as asked')
    if (!isBinary && words[0] === 'ping') return socket.ping('from the server')
    socket.send(data, { binary: isBinary })
  })
}
chat.on('connection', say)
squeezed.on('connection', say)

function serve(socket) {
  const answer = (request) => {
    if (request.id === undefined) return undefined
    const head = { jsonrpc: '2.0', id: request.id }
    switch (request.method) {
      case 'add': return { ...head, result: request.params.reduce((a, b) => a + b, 0) }
      case 'fail': return { ...head, error: { code: -32000, message: 'failed as asked' } }
      default: return { ...head, error: { code: -32601, message: 'Method not found' } }
    }
  }
  socket.on('message', (data) => {
    const request = JSON.parse(data)
    const answers = [].concat(request).map(answer).filter((one) => one !== undefined)
    if (answers.length > 0) socket.send(JSON.stringify(Array.isArray(request) ? answers : answers[0]))
  })
}
rpc.on('connection', serve)
squeezedRpc.on('connection', serve)

stomp.on('connection', (socket) => {
  const subscribers = new Map()
  const send = (command, headers, body = '') => {
    const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`)
    socket.send(`${command}\n${lines.join('')}\n${body}\0`)
  }
  let number = 0
  socket.on('message', (data) => {
    const text = data.toString()
    if (text.trim() === '') return
    const end = text.indexOf('\n\n')
    const [command, ...lines] = text.slice(0, end).split('\n')
    const headers = Object.fromEntries(lines.map((line) => line.split(/:(.*)/).slice(0, 2)))
    const body = text.slice(end + 2).replace(/\0$/, '')
    if (command === 'CONNECT' || command === 'STOMP') send('CONNECTED', { version: '1.2' })
    if (command === 'SUBSCRIBE') subscribers.set(headers.destination, headers.id)
    if (command === 'SEND' && subscribers.has(headers.destination)) {
      const subscription = subscribers.get(headers.destination)
      send('MESSAGE', { subscription, 'message-id': ++number, destination: headers.destination }, body)
    }
    if (headers.receipt !== undefined) send('RECEIPT', { 'receipt-id': headers.receipt })
  })
})

const counted = {
  type: GraphQLInt,
  args: { to: { type: GraphQLInt } },
  resolve: (value) => value,
  async *subscribe(_, { to }) {
    for (let n = 1; n <= to; n++) yield n
  },
}
const schema = new GraphQLSchema({
  query: new GraphQLObjectType({
    name: 'Query',
    fields: { hello: { type: GraphQLString, resolve: () => 'world' } },
  }),
  subscription: new GraphQLObjectType({ name: 'Subscription', fields: { count: counted } }),
})
useServer({ schema }, graphql)

const servers = {
  '/chat': chat, '/squeezed': squeezed, '/rpc': rpc, '/squeezed-rpc': squeezedRpc,
  '/stomp': stomp, '/graphql': graphql,
}
const server = createServer((_, response) => response.writeHead(404).end())
server.on('upgrade', (request, socket, head) => {
  const chosen = servers[request.url.split('?')[0]]
  if (!chosen) return socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n')
  chosen.handleUpgrade(request, socket, head, (ws) => chosen.emit('connection', ws, request))
})
server.listen(Number(process.argv[2] ?? 8080), () => console.error('listening'))
