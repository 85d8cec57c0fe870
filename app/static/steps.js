// The steps of an order, drawn, and the button of the next one.
import { $api } from "/api/client.js";
import { make, whenPressed } from "./dom.js";
import { moment } from "./format.js";

const STATES = ["placed", "packed", "shipped", "delivered"];

/** A list of all steps: those taken with when and by whom, the others still pale. */
export function steps(order) {
  const items = STATES.map((state, number) => step(state, order.steps[number]));
  return make("ol", { class: "steps", "aria-label": `Steps of order ${order.id}` }, ...items);
}

function step(state, taken) {
  return make(
    "li",
    { data: { taken: taken ? "yes" : "no" } },
    make("span", { class: "name" }, state),
    taken ? make("span", { class: "aside" }, moment(taken.at), ` by ${taken.by}`) : make("span", { class: "hidden" }, "not yet"),
  );
}

/** What an operator moves an order on with; nothing for one that has arrived. */
export function nextStep(order, moved, failed) {
  const state = STATES[order.steps.length];
  if (!state) return null;
  const button = make("button", { type: "button", class: "secondary", "aria-label": `Mark order ${order.id} ${state}` }, `Mark ${state}`);
  whenPressed(button, async () => {
    failed(null);
    try {
      moved(await $api.advance_order({ order_id: order.id }));
    } catch (error) {
      failed(error);
    }
  });
  return button;
}
