// node amiss.mjs MODULE BASE: what a program meets that asks for little or asks amiss.
import assert from "node:assert/strict";

const [module, base] = process.argv.slice(2);
const { connect } = await import(module);

/** More events than would wait for a loop, where nothing but the end is asked for. */
const ended = new Promise((resolve) => connect(base).$sse.stream({}, { onEnd: resolve }));
assert.equal(await ended, "all");

/** What throws at once, in place of a stream that is tried for good. */
const amiss = [
  () => connect("localhost:1/api").$sse.stream(),
  () => connect("ftp://host/api").$sse.stream(),
  () => connect("http://me:secret@host/api").$sse.stream(),
  () => connect("/api"),
  () => connect(`${base}?tenant=1`),
  () => connect(`${base}#part`),
  () => connect(new URL(`${base}/?`)),
  () => connect(base, { fetch: 5 }),
  () => connect(base, { headers: { "a b": "c" } }),
  () => connect(base).$sse.stream(new Map([["n", 1]])),
  () => connect(base).$sse.stream({ n: [1, null] }),
];
for (const each of amiss) assert.throws(each, TypeError, String(each));

/** Nothing keeps the process alive once the streams are closed. */
const cut = connect(base).$sse.vector({ number: "cut" }, { onMessage() {} });
await new Promise((resolve) => setTimeout(resolve, 500));
cut.close();
const closed = performance.now();
process.on("exit", () => console.log(Math.round(performance.now() - closed)));
