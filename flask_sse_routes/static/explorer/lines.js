/**
 * Lines to copy: the same call by other means.
 */
import { BASE } from "./catalogue.js";
import { requestOf } from "./request.js";

/** @typedef {import("./catalogue.js").Route} Route */
/** @typedef {{ title: string, text: string }} Lines */

const ROOT = BASE.href.replace(/\/$/, "");

/**
 * @param {Route} route
 * @param {any} input
 * @param {Record<string, string>} headers
 * @returns {Lines[]}
 */
export function linesFor(route, input, headers) {
  const asked = requestOf(route, input, headers);
  const own = { title: route.streams ? "$sse" : "$api", text: ours(route, input, headers) };
  const found = [{ title: "curl", text: curl(asked, route.streams) }, own];
  if (!route.streams) {
    found.push({ title: "fetch", text: plainFetch(asked) });
  } else if (route.method === "GET") {
    found.push({ title: "EventSource", text: eventSource(asked, route) });
  }
  found.push({ title: "Python", text: python(route, input, headers) });
  return found;
}

/** @param {import("./request.js").Asked} asked @param {boolean} streams */
function curl({ method, url, headers, body }, streams) {
  const words = ["curl", streams ? "-N" : "-i"];
  if (method !== "GET") {
    words.push("-X", method);
  }
  const options = Object.entries(headers).map(([name, value]) => `-H ${shell(`${name}: ${value}`)}`);
  if (body !== null) {
    options.push(`--data-raw ${shell(body)}`);
  }
  return [`${words.join(" ")} ${shell(url.href)}`, ...options].join(" \\\n  ");
}

/** @param {Route} route @param {any} input @param {Record<string, string>} headers */
function ours(route, input, headers) {
  const name = route.streams ? "$sse" : "$api";
  const source = js(`${ROOT}/client.js`);
  const start = Object.keys(headers).length
    ? [
      `import { connect } from ${source};`,
      "",
      `const { ${name} } = connect(${js(ROOT)}, { headers: ${js(headers)} });`,
    ]
    : [`import { ${name} } from ${source};`, ""];
  const call = `${name}.${route.name}(${isEmpty(input) ? "" : js(input)})`;
  const rest = route.streams
    ? [`for await (const { event, data, id } of ${call}) {`, "  console.log(event, data, id);", "}"]
    : [`console.log(await ${call});`];
  return [...start, ...rest].join("\n");
}

/** @param {import("./request.js").Asked} asked */
function plainFetch({ method, url, headers, body }) {
  /** @type {Record<string, any>} */
  const options = { method, headers };
  if (body !== null) {
    options.body = body;
  }
  if (!Object.keys(headers).length) {
    delete options.headers;
  }
  const given = method === "GET" && !options.headers ? "" : `, ${js(options)}`;
  return [
    `const response = await fetch(${js(url.href)}${given});`,
    "console.log(response.status, await response.json());",
  ].join("\n");
}

/** @param {import("./request.js").Asked} asked @param {Route} route */
function eventSource({ url, headers }, route) {
  const lines = [
    ...(Object.keys(headers).length ? ["// EventSource sends no headers of yours."] : []),
    `const source = new EventSource(${js(url.href)});`,
    "source.onmessage = ({ data }) => console.log(JSON.parse(data));",
  ];
  for (const name of Object.keys(route.events)) {
    lines.push(`source.addEventListener(${js(name)}, ({ data }) => console.log(${js(name)}, JSON.parse(data)));`);
  }
  lines.push('source.addEventListener("end", () => source.close());');
  return lines.join("\n");
}

/** @param {Route} route @param {any} input @param {Record<string, string>} headers */
function python(route, input, headers) {
  const options = Object.keys(headers).length ? `, headers=${py(headers)}` : "";
  const start = [
    "from flask_sse_routes.client import connect",
    "",
    `client = connect(${py(ROOT)}${options})`,
  ];
  const call = `client.${route.streams ? "sse" : "api"}.${route.name}(${keywords(input)})`;
  const rest = route.streams
    ? [`for event in ${call}:`, "    print(event)"]
    : [`print(${call})`];
  return [...start, ...rest].join("\n");
}

/** @param {any} input */
function keywords(input) {
  if (isEmpty(input)) {
    return "";
  }
  const entries = Object.entries(input);
  return entries.every(([name]) => /^[A-Za-z_]\w*$/.test(name))
    ? entries.map(([name, value]) => `${name}=${py(value)}`).join(", ")
    : `**${py(input)}`;
}

/** @param {any} input */
function isEmpty(input) {
  return input === null || typeof input === "object" && Object.keys(input).length === 0;
}

/** @param {string} text */
function shell(text) {
  return `'${text.replace(/'/g, "'\\''")}'`;
}

/** @param {any} value @returns {string} */
function js(value) {
  if (Array.isArray(value)) {
    return `[${value.map(js).join(", ")}]`;
  }
  if (value !== null && typeof value === "object") {
    const parts = Object.entries(value).map(([name, one]) => (
      `${/^[A-Za-z_$][\w$]*$/.test(name) && name !== "__proto__" ? name : JSON.stringify(name)}: ${js(one)}`
    ));
    return parts.length ? `{ ${parts.join(", ")} }` : "{}";
  }
  return JSON.stringify(value) ?? "undefined";
}

const WORDS = /** @type {Record<string, string>} */ ({ true: "True", false: "False", null: "None" });

/** @param {any} value @returns {string} */
function py(value) {
  if (Array.isArray(value)) {
    return `[${value.map(py).join(", ")}]`;
  }
  if (value !== null && typeof value === "object") {
    return `{${Object.entries(value).map(([name, one]) => `${py(name)}: ${py(one)}`).join(", ")}}`;
  }
  return WORDS[String(value)] && typeof value !== "string" ? WORDS[String(value)] ?? "" : JSON.stringify(value);
}
