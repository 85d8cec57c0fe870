// node decode.mjs PARSER: reads streams in pieces, as a list of lists of hexadecimal texts, and
// prints what the parser finds in each.
import { readFileSync } from "node:fs";
const { EventParser } = await import(process.argv[2]);

function read(chunks) {
  const parser = new EventParser();
  const events = chunks.flatMap((chunk) => parser.feed(Buffer.from(chunk, "hex")));
  return {
    events: events.map(({ event, data, id }) => [event, data, id]),
    last: parser.lastEventId,
    retry: parser.retry,
  };
}
process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(read)));
