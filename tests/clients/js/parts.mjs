// node parts.mjs FOLDER: parts of the runtime by themselves; an assertion that fails ends it.
import assert from "node:assert/strict";

const load = (name) => import(`${process.argv[2]}/${name}.js`);
const { EventParser } = await load("parser");
const { jittered, retryAfter, told, MAX_BACKOFF, MAX_WAIT, MIN_WAIT } = await load("backoff");
const { EventQueue } = await load("queue");
const { createClient } = await load("connect");
const { targetOf } = await load("request");
const utf8 = (text) => new TextEncoder().encode(text);

// A bound at n, and at n + 1: for a line, for an event of many lines, for a line without an end.
const fed = (...texts) => {
  const parser = new EventParser("", 100);
  const events = texts.flatMap((text) => parser.feed(utf8(text)));
  return [events.length, parser.fault];
};
assert.deepEqual(fed(`data:${"x".repeat(95)}\n\n`), [1, null]);
assert.deepEqual(fed(`data:${"x".repeat(96)}\n\n`), [0, "The server sent a line of over 100 characters."]);
assert.deepEqual(fed(...Array(101).fill("data\n"), "\n"), [1, null]);
assert.match(fed(...Array(102).fill("data\n"), "\n")[1], /an event of over 100/);
assert.match(fed(...Array(101).fill("x"))[1], /a line of over 100/);
assert.match(fed(`:${"x".repeat(100)}`)[1], /a line of over 100/);
assert.deepEqual(fed("data: a\n\n" + "x".repeat(200), "\n\ndata: b\n\n")[0], 1);

// Full jitter: between nothing and a bound that doubles, up to a limit.
const drawn = Array.from({ length: 2000 }, () => jittered(1000, 2));
assert(Math.min(...drawn) < 100 && Math.max(...drawn) > 3900 && Math.max(...drawn) < 4000);
assert(Array.from({ length: 2000 }, () => jittered(1000, 5000)).every((wait) => wait < MAX_BACKOFF));
assert.deepEqual([told(0), told(700), told(Number("9".repeat(40)))], [MIN_WAIT, 700, MAX_WAIT]);
assert.equal(retryAfter("2"), 2000);
assert.equal(retryAfter("Wed, 21 Oct 2015 07:28:00 GMT", Date.UTC(2015, 9, 21, 7, 27, 50)), 10_000);
assert.equal(retryAfter("Wed, 21 Oct 2015 07:28:00 GMT"), MIN_WAIT);
assert.equal(retryAfter("9".repeat(400)), MAX_WAIT);
for (const nothing of [null, "", "soon", "-1 s", "1e3 s"]) assert.equal(retryAfter(nothing), null);

// A queue asks to wait when it is full, and fails where nobody waits.
const queue = new EventQueue();
let asked;
for (let n = 0; n <= 256; n += 1) asked = queue.put(n, 1);
assert(asked instanceof Promise);
assert.deepEqual(await queue.take(), { done: false, value: 0 });
await asked;
assert(queue.put("big", 2 * 1024 * 1024) instanceof Promise);
assert.throws(() => { for (;;) queue.put("x", 1); }, { name: "RouteError", title: "Too slow" });
const ended = new EventQueue();
const first = ended.take();
const second = ended.take();
ended.end({ error: new Error("over") });
await assert.rejects(first, /over/);
assert.deepEqual(await second, { done: true, value: undefined });

// Names of routes mean nothing else.
const row = { method: "GET", path: "/x", variables: [], body: false, streams: false };
const names = ["__proto__", "constructor", "admin.__proto__", "admin.toString", "a.b.c"];
const routes = Object.fromEntries(names.map((name) => [name, row]));
const { $api, $sse } = createClient(routes, "http://127.0.0.1/");
assert.deepEqual(Object.keys($api), ["__proto__", "constructor", "admin", "a"]);
assert.equal(Object.getPrototypeOf($api), null);
assert.equal(typeof $api.admin.toString, "function");
assert.equal(typeof $api.admin["__proto__"], "function");
assert.equal(typeof $api.a.b.c, "function");
assert.deepEqual(Object.keys($sse), []);
assert.equal({}.admin, undefined);

// Input goes where it belongs.
const url = (spec, input, base = "https://h/api/") =>
  targetOf("it", { ...row, ...spec }, new URL(base), input).url.href;
const file = { path: "/f/{+name}", variables: ["name"] };
assert.equal(url({}, { a: [1, 2], b: null, when: new Date(0) }),
  "https://h/api/x?a=1&a=2&when=1970-01-01T00%3A00%3A00.000Z");
assert.equal(url(file, { name: "a/b c?#é" }), "https://h/api/f/a/b%20c%3F%23%C3%A9");
assert.equal(url({ path: "/{+name}", variables: ["name"] }, { name: "/evil/x" }, "https://h"), "https://h//evil/x");
assert.equal(url({ path: "/{name}", variables: ["name"] }, { name: "a/../b" }), "https://h/api/a%2F..%2Fb");
for (const name of ["..", ".", "a/../b", "", null, undefined, {}]) {
  assert.throws(() => url(file, { name }), TypeError);
}
assert.throws(() => url({}, { a: {} }), /a is no value that a URL can carry/);
const half = "a\ud83d";
for (const bad of [[[1, 2], [3]], [1, null, 2]]) {
  assert.throws(() => url({}, { a: bad }), { name: "TypeError", message: /a is no value that a URL/ });
}
for (const bad of [half, [half]]) assert.throws(() => url({}, { a: bad }), /a holds a lone surrogate/);
assert.throws(() => url(file, { name: half }), { name: "TypeError", message: /name holds a lone/ });
assert.equal(url(file, { name: "\ud83d\ude00" }), "https://h/api/f/%F0%9F%98%80");
for (const input of [1, "a", [1]]) assert.throws(() => url({}, input), /an object of named fields/);
const input = JSON.parse('{"__proto__": 1, "id": 2}');
assert.equal(targetOf("it", { ...row, body: true, method: "POST" }, new URL("http://h"), input).body,
  '{"__proto__":1,"id":2}');

// An id that came twice in one connection names no event.
const { SeenIds } = await load("seen");
const seen = new SeenIds();
const repeated = (...ids) => ids.map((id) => seen.isRepeated(id));
assert.deepEqual(repeated("1", "2", "2"), [false, false, false]);
seen.reconnected();
assert.deepEqual(repeated("1", "2", "3"), [true, false, false]);
seen.reconnected();
assert.deepEqual(repeated("1", "1", "1", "3"), [true, false, false, true]);
for (let n = 0; n < 9000; n += 1) seen.isRepeated(`n${n}`);
seen.reconnected();
assert.deepEqual(repeated("n0", "n8999"), [false, true]);

// A connection that stood has not failed, though it brought no event; one that did not, has.
const { fetching } = await load("fetching");
const clock = { now: 0 };
performance.now = () => clock.now;
Math.random = () => 0.5;
const delays = (stood, times) => new Promise((resolve) => {
  const told = [];
  const quiet = async function* () {
    yield utf8("retry: 100\nevent: ready\nid: 1\ndata: {}\n\n");
    clock.now += stood;
    yield utf8(": quiet\n\n");
  };
  const stream = { headers: { "Content-Type": "text/event-stream" } };
  const fetch = async () => new Response(ReadableStream.from(quiet()), stream);
  const nothing = () => undefined;
  const retries = ({ delay }) => {
    if (told.push(delay) < times) return;
    source.stop();
    resolve(told);
  };
  const sink = { opened: nothing, lost: nothing, retries, event: nothing, over: nothing };
  const target = { url: new URL("http://h"), method: "GET", body: null };
  const source = fetching(target, { fetch })("", sink);
});
assert.deepEqual(await delays(10_000, 6), [100, 100, 100, 100, 100, 100]);
assert.deepEqual(await delays(9_999, 5), [100, 100, 100, 500, 900]);
console.log("ok");
