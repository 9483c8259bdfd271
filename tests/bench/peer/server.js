// What Shopbell is measured against: a chat of the usual design. Socket.IO for what is live, Express
// for lists, MongoDB for what stays, one insert a message; the events and addresses have the names
// that Shopbell's have. Tokens are the same JWTs, writes are journaled as there.
//
// In its favour it does less: a repeat is stored again, messages have no numbers, a socket that
// reads nothing may grow for ever, and nothing limits anybody.
//
// PEER_URI and PEER_DATABASE name the database, PEER_SECRET signs tokens. It prints its address.

import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

import express from "express";
import { MongoClient, ObjectId } from "mongodb";
import { Server } from "socket.io";

const PAGE = 50;
const TEXT_CHARACTERS = 4000;
const TYPES = new Set(["Buyer", "Seller"]);

const { PEER_URI, PEER_DATABASE, PEER_SECRET } = process.env;

const client = new MongoClient(PEER_URI, {
  maxPoolSize: 10, // with the driver's 100 the embedded engine does less
  writeConcern: { w: "majority", journal: true },
});
await client.connect();
const messages = client.db(PEER_DATABASE).collection("messages");
await messages.createIndexes([
  { key: { sender_id: 1, sender_type: 1, created_at: 1 }, name: "sent" },
  { key: { recipient_id: 1, recipient_type: 1, created_at: 1 }, name: "inbox" },
  { key: { conversation: 1, created_at: 1 }, name: "conversation" },
  { key: { recipient_id: 1, recipient_type: 1, status: 1 }, name: "unread" },
]);

// --- Who is who ---------------------------------------------------------------------------------

function userOf(token) {
  const [head, body, signature] = String(token).split(".");
  const expected = createHmac("sha256", PEER_SECRET).update(`${head}.${body}`).digest();
  const given = Buffer.from(signature ?? "", "base64url");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw new Error("unauthorized");
  }
  const claims = JSON.parse(Buffer.from(body, "base64url").toString());
  if (claims.exp * 1000 < Date.now() || !TYPES.has(claims.type)) {
    throw new Error("unauthorized");
  }
  return { id: claims.sub, type: claims.type, name: claims.name };
}

const roomOf = (type, id) => `${type}:${id}`;

// --- Messages -----------------------------------------------------------------------------------

const conversationOf = (...keys) => keys.sort().join("|");

const escaped = (text) =>
  text.replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`);

function checked(user, data) {
  const text = typeof data?.message === "string" ? data.message.trim() : "";
  if (!text || text.length > TEXT_CHARACTERS) {
    throw new Error("invalid message");
  }
  if (!TYPES.has(data.recipient_type) || typeof data.recipient_id !== "string") {
    throw new Error("invalid recipient");
  }
  return {
    conversation: conversationOf(
      roomOf(user.type, user.id),
      roomOf(data.recipient_type, data.recipient_id),
    ),
    sender_id: user.id,
    sender_type: user.type,
    sender_name: user.name,
    recipient_id: data.recipient_id,
    recipient_type: data.recipient_type,
    subject: data.subject ?? null,
    message: escaped(text),
    message_type: data.message_type ?? "general",
    status: "sent",
    created_at: new Date(),
    read_at: null,
  };
}

async function send(user, data) {
  const message = checked(user, data);
  await messages.insertOne(message);
  io.to(roomOf(message.recipient_type, message.recipient_id)).emit("new_message", message);
  return message;
}

const received = (user) => ({ recipient_id: user.id, recipient_type: user.type });

async function markAsRead(user, id) {
  const message = await messages.findOne({ _id: new ObjectId(id), ...received(user) });
  if (!message) {
    throw new Error("not found");
  }
  // Not findOneAndUpdate, for which the embedded engine reads everything that is stored.
  const read = { status: "read", read_at: new Date() };
  await messages.updateOne({ _id: message._id }, { $set: read });
  const event = { message_id: id, user_id: user.id, user_type: user.type, read_at: read.read_at };
  io.to(roomOf(message.sender_type, message.sender_id)).emit("message_read", event);
  return event;
}

// --- The socket ---------------------------------------------------------------------------------

const app = express();
const server = createServer(app);
const io = new Server(server);
const online = new Map(); // by room, how many sockets

io.use((socket, next) => {
  try {
    socket.data.user = userOf(socket.handshake.auth.token);
    next();
  } catch (error) {
    next(error);
  }
});

io.on("connection", (socket) => {
  const { user } = socket.data;
  const room = roomOf(user.type, user.id);

  const on = (event, act) =>
    socket.on(event, async (data, answer) => {
      try {
        const result = await act(data);
        answer?.({ ok: true, ...result });
      } catch (error) {
        answer?.({ ok: false, error: error.message });
      }
    });

  on("register_user", async () => {
    socket.join(room);
    online.set(room, (online.get(room) ?? 0) + 1);
    const sellers = [...online.keys()].filter((key) => key.startsWith("Seller:"));
    socket.emit("online_users", { users: sellers });
    return { user };
  });
  on("send_message", async (data) => ({ message: await send(user, data) }));
  on("typing", (data) => {
    const event = { sender_id: user.id, sender_type: user.type, is_typing: data.is_typing };
    io.to(roomOf(data.recipient_type, data.recipient_id)).emit("user_typing", event);
  });
  on("mark_as_read", (data) => markAsRead(user, data.message_id));
  on("join_room", (data) => socket.join(`room:${data.room_id}`));
  on("leave_room", (data) => socket.leave(`room:${data.room_id}`));
  on("update_status", ({ status }) => {
    socket.broadcast.emit("user_status_changed", { user_id: user.id, status });
  });
  socket.on("disconnect", () => {
    const left = (online.get(room) ?? 1) - 1;
    if (left > 0) {
      online.set(room, left);
    } else {
      online.delete(room);
    }
  });
});

// --- HTTP ---------------------------------------------------------------------------------------

app.use(express.json());
app.use("/api", (request, response, next) => {
  try {
    request.user = userOf(request.get("Authorization")?.replace("Bearer ", ""));
    next();
  } catch {
    response.status(401).json({ error: "unauthorized" });
  }
});

app.post("/api/messages/send", async (request, response) => {
  response.status(201).json({ message: await send(request.user, request.body) });
});

app.get("/api/messages/inbox", async (request, response) => {
  const found = messages.find(received(request.user)).sort({ created_at: -1 }).limit(PAGE);
  response.json({ messages: await found.toArray() });
});

app.get("/api/messages/sent", async (request, response) => {
  const { id, type } = request.user;
  const found = messages.find({ sender_id: id, sender_type: type }).sort({ created_at: -1 });
  response.json({ messages: await found.limit(PAGE).toArray() });
});

app.get("/api/messages/unread/count", async (request, response) => {
  const filter = { ...received(request.user), status: "sent" };
  response.json({ count: await messages.countDocuments(filter) });
});

app.get("/api/messages/conversation/:id/:type", async (request, response) => {
  const { id, type } = request.params;
  const { user } = request;
  const conversation = conversationOf(roomOf(user.type, user.id), roomOf(type, id));
  const skip = Number(request.query.skip ?? 0);
  const found = messages.find({ conversation }).sort({ created_at: -1 }).skip(skip).limit(PAGE);
  response.json({ messages: await found.toArray() });
});

app.get("/api/messages/:id", async (request, response) => {
  const { id, type } = request.user;
  const mine = [received(request.user), { sender_id: id, sender_type: type }];
  const message = await messages.findOne({ _id: new ObjectId(request.params.id), $or: mine });
  response.status(message ? 200 : 404).json({ message });
});

app.put("/api/messages/:id/read", async (request, response) => {
  response.json(await markAsRead(request.user, request.params.id));
});

server.listen(0, "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});

process.on("SIGTERM", () => process.exit(0));
