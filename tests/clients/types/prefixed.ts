/** Calls with variables of prefixes; in the marked lines what must be refused. */
import { connect } from "./prefixed_api.js";

declare const process: { readonly argv: string[] };

const { $api, $sse } = connect(process.argv[2] ?? "");
const place = { org_id: 5, room: "a b" };

export async function refused(): Promise<void> {
  // @ts-expect-error: the variables of the prefix are missing
  await $api.rooms.where();
  // @ts-expect-error: and here
  await $api.rooms.where({});
  // @ts-expect-error: one of them is
  await $api.rooms.count({ room: "a", n: 2 });
  // @ts-expect-error: it is a number
  await $api.rooms.count({ org_id: "5", room: "a" });
  // @ts-expect-error: missing in a union
  await $api.rooms.pay({ number: "1" });
  // @ts-expect-error: missing beside fields of any name
  await $api.rooms.tags({ a: 1 });
  // @ts-expect-error: missing beside anything
  await $api.rooms.whatever({ a: 1 });
  // @ts-expect-error: a variable of the path, whatever its default
  await $api.rooms.item({ ...place });
  // @ts-expect-error: no path has null
  await $api.rooms.item({ ...place, item: null });
  // @ts-expect-error: the other one has no such variables
  await $api.share({ org_id: 5, word: "a" });
  // @ts-expect-error: missing for a stream
  $sse.rooms.ticks({ n: 1 });
  // @ts-expect-error: null would be left out, and be ten
  await $api.search({ limit: null });
  // @ts-expect-error: null would be left out
  await $api.search({ numbers: [1, null] });
  // @ts-expect-error: no query carries an object
  await $api.search({ point: { x: 1 } });
  // @ts-expect-error: nor lists within lists
  await $api.search({ grid: [[1]] });
}

const seen: unknown[] = [];
for await (const event of $sse.rooms.ticks({ ...place, n: 2 })) seen.push(event.data);
console.log(
  JSON.stringify({
    where: await $api.rooms.where(place),
    count: await $api.rooms.count({ ...place, n: 3 }),
    pay: await $api.rooms.pay({ ...place, amount: 2 }),
    share: await $api.rooms.share({ ...place, word: "a" }),
    unshared: await $api.share({ word: "a" }),
    tags: await $api.rooms.tags({ ...place, a: 1 }),
    whatever: await $api.rooms.whatever({ ...place, b: [1] }),
    item: await $api.rooms.item({ ...place, item: 3 }),
    search: await $api.search({ limit: 2, color: null, words: [], numbers: [1] }),
    ticks: seen,
  }),
);
