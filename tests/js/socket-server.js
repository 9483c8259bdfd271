/**
 * A WebSocket server of the least kind (RFC 6455: short and 16-bit lengths, text and close frames),
 * so that the client is driven over real sockets without any package.
 */

import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";

const HANDSHAKE_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const TEXT = 1;
const CLOSE = 8;

/** No wait in these tests is longer; a test that comes here has failed. */
const PATIENCE_MS = 8_000;

/** Things that come one after the other, and those who wait for them. */
class Queue {
  #things = [];
  #waiting = [];

  push(thing) {
    const taker = this.#waiting.shift();
    if (taker) {
      taker(thing);
    } else {
      this.#things.push(thing);
    }
  }

  /** The next thing; fails if it does not come. */
  async next(what) {
    if (this.#things.length > 0) {
      return this.#things.shift();
    }
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`Waited in vain for ${what}.`)), PATIENCE_MS);
    });
    const coming = new Promise((resolve) => this.#waiting.push(resolve));
    return Promise.race([coming, late]).finally(() => clearTimeout(timer));
  }
}

/** One client's socket, as the server sees it. */
export class ServerSocket {
  #socket;
  #frames = new Queue();
  #closed = new Queue();
  #bytes = Buffer.alloc(0);

  constructor(socket, request) {
    this.#socket = socket;
    /** What the client offered: `shopbell.v1` and perhaps the token. */
    this.protocols = (request.headers["sec-websocket-protocol"] ?? "").split(/, ?/);
    this.headers = request.headers;
    this.url = request.url;
    socket.on("data", (bytes) => this.#read(bytes));
    socket.on("error", () => {}); // a reset by the client is an end like any other
    socket.on("close", () => this.#closed.push(null));
  }

  /** The next frame, which must be of this event. */
  async receive(event) {
    const frame = await this.#frames.next(event);
    if (frame.event !== event) {
      throw new Error(`Waited for ${event}, and got ${JSON.stringify(frame)}.`);
    }
    return frame;
  }

  /** The code of the client's closing, null if it went without a word. */
  closed() {
    return this.#closed.next("the end of the socket");
  }

  send(frame) {
    this.sendText(JSON.stringify(frame));
  }

  sendText(text) {
    this.#write(TEXT, Buffer.from(text));
  }

  ack(id, data) {
    this.send({ event: "ack", id, data });
  }

  refuse(id, data) {
    this.send({ event: "error", id, data: { message: "No.", ...data } });
  }

  close(code) {
    const payload = Buffer.alloc(2);
    payload.writeUInt16BE(code);
    this.#write(CLOSE, payload);
    this.#socket.end();
  }

  /** As when a cable is pulled. */
  cut() {
    this.#socket.destroy();
  }

  #write(opcode, payload) {
    const short = payload.length < 126;
    const head = Buffer.alloc(short ? 2 : 4);
    head[0] = 0x80 | opcode;
    head[1] = short ? payload.length : 126;
    if (!short) {
      head.writeUInt16BE(payload.length, 2);
    }
    this.#socket.write(Buffer.concat([head, payload]));
  }

  #read(bytes) {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    for (let frame = this.#takeFrame(); frame; frame = this.#takeFrame()) {
      if (frame.opcode === TEXT) {
        this.#frames.push(JSON.parse(frame.payload.toString()));
      } else if (frame.opcode === CLOSE) {
        this.#closed.push(frame.payload.length >= 2 ? frame.payload.readUInt16BE() : null);
        this.#write(CLOSE, frame.payload);
        this.#socket.end();
      }
    }
  }

  #takeFrame() {
    const bytes = this.#bytes;
    if (bytes.length < 2) {
      return undefined;
    }
    const long = (bytes[1] & 0x7f) === 126;
    const start = long ? 8 : 6;
    if (bytes.length < start) {
      return undefined;
    }
    const length = long ? bytes.readUInt16BE(2) : bytes[1] & 0x7f;
    if (bytes.length < start + length) {
      return undefined;
    }
    const mask = bytes.subarray(start - 4, start);
    const payload = bytes.subarray(start, start + length).map((byte, at) => byte ^ mask[at % 4]);
    this.#bytes = bytes.subarray(start + length);
    return { opcode: bytes[0] & 0x0f, payload: Buffer.from(payload) };
  }
}

/** Listens on a free port of the loopback. */
export class SocketServer {
  #http = createServer((request, response) => {
    response.writeHead(this.httpStatus, { Connection: "close" }).end("{}");
  });
  #sockets = new Queue();
  #open = new Set();
  /** How plain requests are answered. */
  httpStatus = 200;
  /** With what status upgrades are refused; null: they are not. */
  refusal = null;
  refused = 0;

  static async start() {
    const server = new SocketServer();
    server.#http.on("upgrade", (request, socket) => server.#upgrade(request, socket));
    server.#http.listen(0, "127.0.0.1");
    await once(server.#http, "listening");
    return server;
  }

  get url() {
    return `http://127.0.0.1:${this.#http.address().port}`;
  }

  /** The next client that connects. */
  accept() {
    return this.#sockets.next("a client");
  }

  async stop() {
    this.#open.forEach((socket) => socket.destroy());
    this.#http.close();
    await once(this.#http, "close");
  }

  #upgrade(request, socket) {
    this.#open.add(socket);
    socket.once("close", () => this.#open.delete(socket));
    if (this.refusal !== null) {
      this.refused += 1;
      socket.end(`HTTP/1.1 ${this.refusal} No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const key = request.headers["sec-websocket-key"] + HANDSHAKE_GUID;
    const accept = createHash("sha1").update(key).digest("base64");
    const lines = [
      "HTTP/1.1 101 Switching Protocols",
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Accept: ${accept}`,
      "Sec-WebSocket-Protocol: shopbell.v1",
    ];
    socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    this.#sockets.push(new ServerSocket(socket, request));
  }
}
