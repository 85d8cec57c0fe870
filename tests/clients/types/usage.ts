/** What the generated client accepts, and in the marked lines what it must refuse. */
import { connect, RouteError, type BuildEvent, type Color, type Node, type Order } from "./api.js";

const { $api, $sse } = connect(new URL("http://127.0.0.1/api"), {
  headers: () => ({ Authorization: "token" }),
  credentials: "include",
});

export async function inputs(): Promise<void> {
  await $api.hello();
  await $api.hello({}, { signal: AbortSignal.timeout(1) });
  await $api.order({ order_id: 1 });
  await $api.order({ order_id: 1, verbose: true });
  await $api.orders();
  await $api.orders({ limit: 1, color: ["red"] });
  await $api.orders({ color: null });
  await $api.create({ color: "red", payment: { kind: "card", number: "1" } });
  await $api.create({ color: "blue", payment: { kind: "coins", amount: 1 }, points: [[1], [2, "b"]] });
  await $api.pay({ kind: "cash", amount: "1.50" });
  await $api.admin.stats();
  await $api.odd({ "a-b": 1, class: "x", $: null });
  // @ts-expect-error: nothing is known of such a route
  await $api.nothing();
  // @ts-expect-error: it streams
  await $api.build({ steps: 1 });
  // @ts-expect-error: it takes no input
  await $api.hello({ name: "x" });
  // @ts-expect-error: order_id is missing
  await $api.order({});
  // @ts-expect-error: the input is missing
  await $api.order();
  // @ts-expect-error: a number is wanted
  await $api.order({ order_id: "1" });
  // @ts-expect-error: no such field
  await $api.order({ order_id: 1, loud: true });
  // @ts-expect-error: given, but not defined
  await $api.order({ order_id: 1, verbose: undefined });
  // @ts-expect-error: no such colour
  await $api.orders({ color: ["green"] });
  // @ts-expect-error: a point is a number and maybe a text
  await $api.create({ color: "red", payment: { kind: "card", number: "1" }, points: [[1, 2]] });
  // @ts-expect-error: a card has no amount
  await $api.pay({ kind: "card", amount: 1 });
  // @ts-expect-error: the field has another name
  await $api.odd({ a_b: 1, class: "x", $: null });
  // @ts-expect-error: it is nested
  await $api.stats();
}

export async function outputs(): Promise<void> {
  const order: Order = await $api.order({ order_id: 1 });
  const color: Color | undefined = order.color;
  const note: string | null | undefined = order.note;
  const odd: number | undefined = order["odd-name"];
  const red: number | undefined = order.counts?.red;
  const kind: "a" | "b" | 3 | null | undefined = order.class;
  const x: number | undefined = order.point?.[0];
  const label: string | undefined = order.point?.[1];
  if (order.payment.kind === "card") order.payment.number.trim();
  else order.payment.amount.trim();
  const node: Node = await $api.tree({ depth: 1 });
  const names: (string | undefined)[] = [node.children?.[0]?.children?.[0]?.name, node.parent?.name];
  const next: number | null = (await $api.orders()).next;
  const numbers: number[] = await $api.list();
  const streams: number | undefined = (await $api.admin.stats())["streams"];
  const more = await $api.constructor();
  const promise: boolean = more.promise;
  const other: unknown = more["other"];
  void [color, note, odd, red, kind, x, label, names, next, numbers, streams, promise, other];
  // @ts-expect-error: a text, not a date
  const at: Date = order.at;
  // @ts-expect-error: it may be missing
  const sure: string = order.note;
  // @ts-expect-error: only a card has a number
  order.payment.number;
  // @ts-expect-error: no such colour
  order.counts?.green;
  // @ts-expect-error: a tuple of two
  order.point?.[2];
  // @ts-expect-error: nothing is known of what it answers
  (await $api.hello()).hello;
  void [at, sure];
}

function unreachable(event: never): void {
  void event;
}

export async function events(): Promise<void> {
  const stream = $sse.build(
    { steps: 3 },
    {
      on: {
        progress: (data, event) => void [data.percent.toFixed(), event.event === "progress"],
        done: (data) => void data.url.trim(),
        snapshot: (data: unknown) => void data,
      },
      onEvent: (event: BuildEvent) => void event.id.trim(),
      onReset: (data) => void data.reason.trim(),
      onError: (error) => void (error instanceof RouteError && error.status.toFixed()),
      onEnd: (data: unknown) => void data,
      shared: true,
    },
  );
  for await (const event of stream) {
    if (event.event === "progress") event.data.percent.toFixed();
    else if (event.event === "done") event.data.url.trim();
    else if (event.event === "reset") event.data.reason.trim();
    else if (event.event === "snapshot") void event.data;
    else unreachable(event);
    // @ts-expect-error: not of every event
    event.data.percent;
    // @ts-expect-error: no such event
    if (event.event === "progres") break;
    // @ts-expect-error: of another event
    if (event.event === "done") event.data.percent;
  }
  stream.close();
  const state: 0 | 1 | 2 = stream.readyState;
  $sse.numbers({}, { onMessage: (data) => void data.toFixed() });
  $sse.anything(undefined, { on: { whatever: (data: unknown) => void data } });
  $sse.admin.log({}, { onMessage: (data) => void data.trim() });
  for await (const { event, data } of $sse.anything()) void [event.trim(), data as string];
  void state;
  // @ts-expect-error: steps is missing
  $sse.build();
  // @ts-expect-error: it does not stream
  $sse.hello();
  // @ts-expect-error: no such event
  $sse.build({ steps: 3 }, { on: { finished: () => undefined } });
  // @ts-expect-error: a text is no number
  $sse.build({ steps: 3 }, { on: { progress: (data: string) => data } });
  // @ts-expect-error: no such field of the event's data
  $sse.build({ steps: 3 }, { on: { done: (data) => data.percent } });
  // @ts-expect-error: a number is no text
  $sse.numbers({}, { onMessage: (data: string) => data });
  // @ts-expect-error: a typing error
  $sse.numbers({}, { onMesage: () => undefined });
}
