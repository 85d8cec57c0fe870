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

follow("order", `Order ${order_id}`, (options) => $sse.order({ order_id }, options), {
  on: { snapshot: show },
  onMessage: show,
});
