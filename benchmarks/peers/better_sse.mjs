/* better-sse on Node's own HTTP server: a session for each client, all in one channel. */
import { createServer } from "node:http";
import { setImmediate, setTimeout } from "node:timers/promises";
import { createChannel, createSession } from "better-sse";

const PADDING = "x".repeat(50);
const heartbeat = Number(process.env.HEARTBEAT ?? 0) * 1000;
const keepAlive = heartbeat || null;
const channel = createChannel();

async function publish(count, rate) {
  const begun = performance.now();
  for (let seq = 0; seq < count; seq += 1) {
    if (rate) await setTimeout(Math.max(0, begun + (seq / rate) * 1000 - performance.now()));
    else await setImmediate();
    channel.broadcast({ seq, ts: Number(process.hrtime.bigint()), pad: PADDING });
  }
}

function* items(count) {
  for (let seq = 0; seq < count; seq += 1) yield { seq, pad: PADDING.slice(0, 20) };
}

function json(response, value) {
  const body = JSON.stringify(value);
  const headers = { "Content-Type": "application/json", "Content-Length": body.length };
  response.writeHead(200, headers).end(body);
}

const routes = {
  "/events": async (request, response) =>
    channel.register(await createSession(request, response, { keepAlive })),
  "/publish": async (request, response, query) => {
    await publish(Number(query.get("count")), Number(query.get("rate") ?? 0));
    json(response, {});
  },
  "/stream": async (request, response, query) => {
    const session = await createSession(request, response, { keepAlive });
    await session.iterate(items(Number(query.get("count"))));
    response.end();
  },
  "/subscribers": (request, response) => json(response, { subscribers: channel.sessionCount }),
  "/json": (request, response) => json(response, { hello: "world" }),
};

createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://127.0.0.1");
  return routes[pathname](request, response, searchParams);
}).listen({ host: "127.0.0.1", port: Number(process.argv[2]), backlog: 4096 });
