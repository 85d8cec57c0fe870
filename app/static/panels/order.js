// One order, step by step.
import { $sse } from "/api/client.js";
import { follow } from "../connection.js";
import { find } from "../dom.js";
import { explain } from "../form.js";
import { nextStep, steps } from "../steps.js";

const panel = find("#order");
const order_id = Number(panel.dataset.order);
let taken = 0;

/** What is told may come twice, or late: what has more steps is right. */
function show(order) {
  if (order.steps.length <= taken) return;
  taken = order.steps.length;
  find("ol", panel).replaceWith(steps(order));
  if (panel.dataset.role !== "operator") return;
  const tools = find(".tools", panel);
  const hadFocus = tools.contains(document.activeElement);
  tools.replaceChildren();
  const button = nextStep(order, show, (error) => explain(panel, error));
  if (button) tools.append(button);
  if (hadFocus) button?.focus();
}

/** How it is now: the list of the newest orders may lack it. */
async function ask() {
  try {
    for await (const { data } of $sse.order({ order_id })) return show(data);
  } catch (error) {
    explain(panel, error);
  }
}

const showIt = (order) => order.id === order_id && show(order);
const { session } = panel.dataset;
// The stream of all orders, which every tab of the session has in common.
follow("order", `Order ${order_id}`, (options) => $sse.orders({ session }, { ...options, shared: true }), {
  onOpen: ask,
  on: { snapshot: (orders) => orders.forEach(showIt) },
  onMessage: showIt,
});
