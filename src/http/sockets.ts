import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import websocket from '@fastify/websocket'
import type { FastifyInstance } from 'fastify'

const maxPayload = 1024 * 1024

// Some clients offer HTTP/2 by an upgrade (h2c) with any request. Node hands over every kind of upgrade once there is a
// listener, so what is no WebSocket is put back without its offer and read again.
function readAgain(app: FastifyInstance, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const { method, url, httpVersion, rawHeaders } = request
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (!/^(upgrade|connection|http2-settings)$/i.test(rawHeaders[i]!))
      lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`)
  }
  app.server.emit('connection', socket)
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]))
}

function onlyWebSockets(app: FastifyInstance): void {
  const listeners = app.server.listeners('upgrade')
  app.server.removeAllListeners('upgrade')
  app.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (request.headers.upgrade?.toLowerCase() !== 'websocket') return readAgain(app, request, socket, head)
    for (const listener of listeners) listener.call(app.server, request, socket, head)
  })
}

/** Lets routes have a `wsHandler`, which closes its sockets itself when the server stops. */
export async function webSockets(
  app: FastifyInstance,
  protocol: (offered: Set<string>) => string | false
): Promise<void> {
  await app.register(websocket, {
    options: { maxPayload, handleProtocols: protocol },
    errorHandler: (error, socket, request) => {
      request.log.info({ err: error }, 'a socket broke')
      socket.terminate()
    },
    preClose: done => done()
  })
  onlyWebSockets(app)
}
