// What the server says of itself.
import { $api } from "/api/client.js";
import { find, make } from "../dom.js";
import { words } from "../form.js";
import { duration } from "../format.js";

function facts(info) {
  return [
    ["flask_sse_routes", info.flask_sse_routes],
    ["Flask", info.flask],
    ["Python", info.python],
    ["Server", info.server],
    ["Process", String(info.pid)],
    ["Running for", duration(info.uptime)],
  ];
}

const list = find("#facts");
try {
  const rows = facts(await $api.info());
  list.append(...rows.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
} catch (error) {
  list.replaceWith(make("p", { class: "problem" }, words(error)));
}
