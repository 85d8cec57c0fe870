// Orders: one's own, or all of them for an operator, each with its steps.
import { $api, $sse } from "/api/client.js";
import { follow } from "../connection.js";
import { find, make } from "../dom.js";
import { explain, form, values } from "../form.js";
import { nextStep, steps } from "../steps.js";

const KEPT = 50;
const panel = find("#orders");
const list = find(".orders", panel);
const isOperator = panel.dataset.role === "operator";
const shown = new Map();

/** Show an order. What is told may come twice, or late: of two the one with more steps is right. */
function show(order) {
  const before = shown.get(order.id);
  if (before && before.order.steps.length >= order.steps.length) return;
  const item = row(order);
  const hadFocus = before?.item.contains(document.activeElement);
  if (before) before.item.replaceWith(item);
  else list.prepend(item);
  shown.set(order.id, { order, item });
  if (hadFocus) (item.querySelector("button") ?? find("a", item)).focus();
  trim();
}

function trim() {
  for (const id of [...shown.keys()].sort((a, b) => b - a).slice(KEPT)) {
    shown.get(id).item.remove();
    shown.delete(id);
  }
  find(".empty", panel).hidden = shown.size > 0;
}

function row(order) {
  const link = make("a", { href: `/orders/${order.id}` }, `Order ${order.id}`);
  const words = `${order.quantity} × ${order.item}${isOperator ? `, for ${order.account}` : ""}`;
  const button = isOperator ? nextStep(order, show, (error) => explain(panel, error)) : null;
  const head = make("div", { class: "head" }, link, make("span", { class: "item" }, words), button);
  return make("li", { data: { order: order.id, state: order.state } }, head, steps(order));
}

// Tabs of one session share it: another one's have another address.
const { session } = panel.dataset;
follow("orders", "Orders", (options) => $sse.orders({ session }, { ...options, shared: true }), {
  on: {
    snapshot(orders) {
      shown.clear();
      list.replaceChildren();
      orders.reverse().forEach(show);
      trim();
    },
  },
  onMessage: show,
});

const place = document.querySelector("#place form");
if (place) {
  form(place, async (sent) => {
    show(await $api.place_order(sent));
    const written = Object.entries(values(place));
    if (written.some(([name, value]) => value !== sent[name])) return; // it is the next one
    place.reset();
    find("input", place).focus();
  });
}
