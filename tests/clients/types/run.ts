/** Calls and streams; prints what came as one JSON document. */
import { connect, RouteError } from "./api.js";

declare const process: { readonly argv: string[] };

const { $api, $sse } = connect(process.argv[2] ?? "");

async function failure(promise: Promise<unknown>): Promise<unknown> {
  try {
    return await promise;
  } catch (error) {
    if (!(error instanceof RouteError)) throw error;
    return [error.status, error.title, error.errors.map((fault) => fault.loc)];
  }
}

async function built(fail: boolean): Promise<unknown[]> {
  const seen: unknown[] = [];
  try {
    for await (const event of $sse.build({ steps: 2, fail })) {
      seen.push(event.event === "progress" ? event.data.percent : event.event);
    }
  } catch (error) {
    seen.push(error instanceof RouteError ? [error.status, error.detail] : String(error));
  }
  return seen;
}

function handled(): Promise<unknown[]> {
  const seen: unknown[] = [];
  return new Promise((resolve) => {
    $sse.numbers(
      { start: 5 },
      {
        onMessage: (data, event) => seen.push([data, event.event]),
        onEnd: (data) => resolve([...seen, data]),
      },
    );
  });
}

const order = await $api.order({ order_id: 7, verbose: true });
console.log(
  JSON.stringify({
    hello: await $api.hello(),
    order: [order.id, order.note, order.at, order.point, order.payment],
    orders: (await $api.orders({ limit: 3, color: ["red", "blue"] })).items.length,
    created: (await $api.create({ color: "blue", payment: { kind: "cash", amount: 2 } })).payment,
    paid: await $api.pay({ kind: "card", number: "1" }),
    tree: (await $api.tree({ depth: 2 })).children?.[0]?.children?.[0]?.name,
    file: await $api.file({ name: "a/b c" }),
    odd: await $api.odd({ "a-b": 1, class: "x", $: null }),
    stats: await $api.admin.stats(),
    refused: await failure($api.orders({ limit: "many" as unknown as number })),
    built: await built(false),
    failed: await built(true),
    handled: await handled(),
  }),
);
