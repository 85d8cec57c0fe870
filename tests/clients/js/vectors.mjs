// node vectors.mjs PARSER VECTORS: feeds each vector as given, joined and byte by byte; prints
// what was wrong.
import { readFileSync } from "node:fs";
const { EventParser } = await import(process.argv[2]);

const bytesOf = (chunk) => {
  if (typeof chunk === "string") return Buffer.from(chunk);
  return chunk.b64 !== undefined
    ? Buffer.from(chunk.b64, "base64")
    : Buffer.from(chunk.repeat.repeat(chunk.times));
};
const textOf = (data) =>
  typeof data === "string" ? data : data.repeat.repeat(data.times) + (data.then ?? "");

function expectedEvents({ events }) {
  return events.flatMap(({ event, data, id, times = 1 }) =>
    Array.from({ length: times }, () => ({ event, data: textOf(data), id })));
}

function read(chunks) {
  const parser = new EventParser();
  const events = [];
  const counts = chunks.map((chunk) => events.push(...parser.feed(chunk)));
  return { parser, counts, events: events.map(({ event, data, id }) => ({ event, data, id })) };
}

let count = 0;
for (const { name, chunks, expected } of JSON.parse(readFileSync(process.argv[3], "utf8"))) {
  const given = chunks.map(bytesOf);
  const joined = Buffer.concat(given);
  const forms = { given, joined: [joined] };
  if (joined.length <= 3000) forms.bytes = [...joined].map((byte) => Buffer.of(byte));
  for (const [form, pieces] of Object.entries(forms)) {
    count += 1;
    const { parser, counts, events } = read(pieces);
    const found = { events, last: parser.lastEventId, fault: parser.fault };
    const wanted = { events: expectedEvents(expected), last: expected.last_event_id, fault: null };
    if (expected.retry !== "*") {
      found.retry = parser.retry;
      wanted.retry = expected.retry;
    }
    if (form === "given" && expected.after_chunk) {
      found.counts = counts;
      wanted.counts = expected.after_chunk;
    }
    if (JSON.stringify(found) !== JSON.stringify(wanted)) {
      console.log(`${name} ${form}: ${JSON.stringify(found).slice(0, 300)}`);
    }
  }
}
console.log(count);
