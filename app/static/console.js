// The console: every panel follows one route of the server with the browser's own EventSource.
// What arrives is shown through textContent alone, so that text stays text.

const find = (selector, root = document) => root.querySelector(selector);
const calm = matchMedia("(prefers-reduced-motion: reduce)");

const STATES = {
  ready: "Ready",
  connecting: "Connecting",
  live: "Live",
  reconnecting: "Reconnecting",
  finished: "Finished",
  cancelled: "Cancelled",
  failed: "Failed",
};

// A browser gives up on a stream for good when a proxy answers in the server's place; a panel that lives as long as the page tries again.
const TRY_AGAIN_MS = 5000;

class Stream {
  /** Follow `path` and show the connection in `panel`. `on` maps event names to functions of the parsed data. */
  constructor(panel, path, on, { lasting = false, failed = () => {} } = {}) {
    Object.assign(this, { panel, on, lasting, failed });
    this.url = new URL(path, location.href);
    this.connect("connecting");
  }

  connect(state) {
    this.show(state);
    this.source = new EventSource(this.url);
    this.source.addEventListener("open", () => this.show("live"));
    this.source.addEventListener("end", () => this.close("finished"));
    this.source.addEventListener("error", (event) => this.trouble(event));
    for (const [name, handle] of Object.entries(this.on)) {
      this.source.addEventListener(name, (event) => {
        if (event.lastEventId) this.url.searchParams.set("last_event_id", event.lastEventId);
        handle(JSON.parse(event.data));
      });
    }
  }

  // "error" is two things: an event that the server sent, with data, or a connection that the browser lost, without.
  trouble(event) {
    if (typeof event.data === "string") {
      this.close("failed");
      this.failed(JSON.parse(event.data));
    } else if (this.source.readyState === EventSource.CONNECTING) {
      this.show("reconnecting");
    } else if (this.lasting) {
      this.show("reconnecting");
      this.timer = setTimeout(() => this.connect("reconnecting"), TRY_AGAIN_MS);
    } else {
      this.close("failed");
      this.failed({ title: "The server refused this stream" });
    }
  }

  close(state) {
    clearTimeout(this.timer);
    this.source.close();
    if (state) this.show(state);
  }

  show(state) {
    const pill = find(".state", this.panel);
    pill.dataset.state = state;
    pill.textContent = STATES[state];
    this.panel.dispatchEvent(new CustomEvent("state", { detail: state }));
  }
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function clock(iso) {
  const made = element("time", "", new Date(iso).toLocaleTimeString([], { hour12: false }));
  made.dateTime = iso;
  return made;
}

function size(bytes, digits = 1) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const step = bytes < 1 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), units.length - 1);
  return [(bytes / 1000 ** step).toFixed(step ? digits : 0), units[step]];
}

function explain(panel, problem) {
  const place = find(".problem", panel);
  const first = problem?.errors?.[0];
  place.textContent = problem ? first?.msg ?? problem.detail ?? problem.title : "";
  place.hidden = !problem;
}

/** Put the stream's own parameters into the panel's curl line. */
function curl(panel, url) {
  const line = url.search ? `"${url}"` : String(url);
  find(".curl code", panel).textContent = `curl -N ${line}`;
}

function address(path, parameters) {
  const url = new URL(path, location.href);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url;
}

// Charts

const SPAN_MS = 60_000;
const FRAME_MS = 50;

class Chart {
  /** Lines over the last minute. `ceiling` fixes the top, without it the top follows the data; `label` words the top. */
  constructor(canvas, { lines, ceiling = null, least = 1, label }) {
    Object.assign(this, { canvas, lines, ceiling, label, least, top: ceiling ?? least });
    this.points = [];
    this.lag = 0;
    new ResizeObserver(() => this.draw(performance.now())).observe(canvas);
  }

  // The chart runs one interval behind, so that the newest point slides in instead of jumping in.
  add(values) {
    const at = performance.now();
    const before = this.points.at(-1)?.at ?? at;
    if (at - before < 3000) this.lag = Math.max(this.lag * 0.9, at - before);
    this.points.push({ at, values });
    while (this.points.length > 2 && this.points[1].at < at - SPAN_MS - this.lag - 1000) this.points.shift();
    if (calm.matches) this.draw(at);
  }

  draw(now) {
    const { canvas } = this;
    const ratio = devicePixelRatio;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const pen = canvas.getContext("2d");
    const style = getComputedStyle(canvas);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    this.scale();
    this.grid(pen, style, width, height);
    const right = calm.matches ? now : now - this.lag;
    const x = (at) => width - ((right - at) / SPAN_MS) * width;
    const y = (value) => height - 2 - (Math.min(value / this.top, 1) * (height - 20));
    this.lines.forEach((line, index) => this.line(pen, style.getPropertyValue(line), index, x, y, height));
  }

  scale() {
    if (this.ceiling) return;
    const highest = Math.max(this.least, ...this.points.flatMap((point) => point.values));
    const step = 10 ** Math.floor(Math.log10(highest));
    const target = [1, 2, 5, 10].find((factor) => factor * step >= highest) * step;
    this.goal = target;
    const gap = target - this.top;
    this.top = calm.matches || Math.abs(gap) < target / 200 ? target : this.top + gap * 0.12;
  }

  grid(pen, style, width, height) {
    pen.strokeStyle = style.getPropertyValue("--line");
    pen.lineWidth = 1;
    pen.setLineDash([]);
    pen.beginPath();
    for (const part of [0, 0.5, 1]) {
      const y = Math.round(18 + (height - 20) * part) + 0.5 - (part === 1 ? 1 : 0);
      pen.moveTo(0, y);
      pen.lineTo(width, y);
    }
    pen.stroke();
    pen.fillStyle = style.getPropertyValue("--muted");
    pen.font = `11px ${style.fontFamily}`;
    pen.textAlign = "left";
    pen.fillText(this.label(this.goal ?? this.top), 0, 11);
    pen.textAlign = "right";
    pen.fillText("last minute", width, 11);
  }

  line(pen, color, index, x, y, height) {
    for (const run of this.runs()) {
      const path = new Path2D();
      path.moveTo(x(run[0].at), y(run[0].values[index]));
      for (let i = 1; i < run.length; i += 1) {
        const [x0, x1] = [x(run[i - 1].at), x(run[i].at)];
        const [y0, y1] = [y(run[i - 1].values[index]), y(run[i].values[index])];
        const middle = (x0 + x1) / 2;
        path.bezierCurveTo(middle, y0, middle, y1, x1, y1);
      }
      pen.strokeStyle = color;
      pen.lineWidth = 2;
      pen.lineJoin = "round";
      // Dashed, so that a line of the same course below it can still be seen.
      pen.setLineDash(index ? [5, 4] : []);
      pen.stroke(path);
      path.lineTo(x(run.at(-1).at), height);
      path.lineTo(x(run[0].at), height);
      pen.globalAlpha = 0.1;
      pen.fillStyle = color;
      pen.fill(path);
      pen.globalAlpha = 1;
    }
  }

  // A lost connection is a hole in the line, not a slope across it.
  runs() {
    const runs = [];
    for (const point of this.points) {
      if (!runs.length || point.at - runs.at(-1).at(-1).at > 4000) runs.push([]);
      runs.at(-1).push(point);
    }
    return runs;
  }
}

function animate(charts) {
  let last = 0;
  const frame = (now) => {
    if (!calm.matches && now - last >= FRAME_MS) {
      last = now;
      for (const chart of charts) chart.draw(now);
    }
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}

// Panels

function metrics() {
  const panel = find("#metrics");
  const figure = (name, text) => { find(`[data-figure="${name}"]`, panel).textContent = text; };
  const bar = (name, percent) => { find(`[data-bar="${name}"]`, panel).style.transform = `scaleX(${percent / 100})`; };
  const rate = (bytes) => `${size(bytes).join(" ")}/s`;
  const cpu = new Chart(find("#cpu-chart"), { lines: ["--accent"], ceiling: 100, label: (top) => `${top} %` });
  const network = new Chart(find("#network-chart"), {
    lines: ["--accent", "--second"],
    least: 1000,
    label: (top) => `${size(top, 0).join(" ")}/s`,
  });
  animate([cpu, network]);

  new Stream(panel, "/api/metrics", {
    message(now) {
      figure("cpu", now.cpu.toFixed(1));
      figure("cpu-now", `${now.cpu.toFixed(1)} %`);
      figure("load", now.load.toFixed(2));
      for (const name of ["memory", "disk"]) {
        const [total, unit] = size(now[name].total, 0);
        figure(name, now[name].percent.toFixed(0));
        figure(`${name}-of`, `% of ${total} ${unit}`);
        bar(name, now[name].percent);
      }
      bar("cpu", now.cpu);
      figure("network-now", `${rate(now.network.received)} in, ${rate(now.network.sent)} out`);
      cpu.add([now.cpu]);
      network.add([now.network.received, now.network.sent]);
    },
  }, { lasting: true });
}

const NOTES_KEPT = 50;

function notifications() {
  const panel = find("#notifications");
  const list = find(".notes", panel);
  const form = find("form", panel);

  const add = ({ message, level, at }) => {
    const item = element("li", "new", "");
    item.dataset.level = level;
    item.append(element("span", "tag", level), element("span", "text", message), clock(at));
    list.prepend(item);
    while (list.children.length > NOTES_KEPT) list.lastElementChild.remove();
  };
  new Stream(panel, "/api/notifications", {
    snapshot(notes) {
      list.replaceChildren();
      notes.forEach(add);
    },
    message: add,
  }, { lasting: true });

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = JSON.stringify(Object.fromEntries(new FormData(form)));
    try {
      const answer = await fetch(form.action, { method: "POST", headers: { "Content-Type": "application/json" }, body });
      explain(panel, answer.ok ? null : await answer.json());
      if (answer.ok) form.elements.message.value = "";
    } catch {
      explain(panel, { title: "The server did not answer; nothing was sent" });
    }
    form.elements.message.focus();
  });
}

const LINES_KEPT = 500;

function logs() {
  const panel = find("#logs");
  const view = find(".log", panel);
  const level = find("select", panel);
  const pause = find("#pause", panel);
  let waiting = null;
  let following = true;
  let stream;

  const tone = (severity) => (severity >= 40 ? "error" : severity >= 30 ? "warning" : "info");
  const append = (line) => {
    const row = element("p", "", "");
    const text = element("span", "text", "");
    row.dataset.tone = tone(line.severity);
    text.append(element("span", "source", `${line.logger}  `), line.message);
    row.append(clock(line.at), element("span", "level", line.level), text);
    view.append(row);
    while (view.children.length > LINES_KEPT) view.firstElementChild.remove();
  };
  const keepUp = () => { if (following) view.scrollTop = view.scrollHeight; };
  const show = (lines) => {
    lines.forEach(append);
    keepUp();
  };
  view.addEventListener("scroll", () => {
    following = view.scrollHeight - view.scrollTop - view.clientHeight < 30;
  });
  new ResizeObserver(keepUp).observe(view);
  const label = () => { pause.textContent = waiting ? `Resume${waiting.length ? ` (${waiting.length})` : ""}` : "Pause"; };

  const open = () => {
    stream?.close();
    view.replaceChildren();
    if (waiting) waiting = [];
    label();
    const url = address("/api/logs", { level: level.value });
    curl(panel, url);
    const take = (lines) => {
      if (!waiting) return show(lines);
      waiting.push(...lines);
      waiting.splice(0, waiting.length - LINES_KEPT);
      label();
    };
    stream = new Stream(panel, url, {
      snapshot(lines) {
        view.replaceChildren();
        if (waiting) waiting = [];
        take(lines);
      },
      message: (line) => take([line]),
    }, { lasting: true });
  };

  pause.addEventListener("click", () => {
    if (waiting) show(waiting);
    waiting = waiting ? null : [];
    pause.setAttribute("aria-pressed", String(Boolean(waiting)));
    label();
  });
  level.addEventListener("change", open);
  open();
}

const number = new Intl.NumberFormat("en");

function task() {
  const panel = find("#task");
  const form = find("form", panel);
  const start = find("button:not([type])", form);
  const cancel = find("#cancel", panel);
  const bar = find("progress", panel);
  const result = find(".result", panel);
  let stream;

  // A screen reader hears the start and the result, not every step.
  const say = (text, aloud = true) => {
    result.setAttribute("aria-live", aloud ? "polite" : "off");
    result.textContent = text;
  };
  panel.addEventListener("state", ({ detail }) => {
    const running = ["connecting", "live", "reconnecting"].includes(detail);
    start.disabled = running;
    cancel.disabled = !running;
  });
  const describe = () => curl(panel, address("/api/task", { limit: form.elements.limit.value }));
  form.addEventListener("input", describe);
  describe();

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    explain(panel, null);
    bar.value = 0;
    say("Started.");
    stream = new Stream(panel, address("/api/task", { limit: form.elements.limit.value }), {
      progress({ percent, examined, found }) {
        bar.value = percent;
        say(`${percent.toFixed(0)} %: ${number.format(found)} primes among the first ${number.format(examined)} numbers`, false);
      },
      done(all) {
        bar.value = 100;
        say(`${number.format(all.primes)} primes up to ${number.format(all.limit)}, found in ${all.seconds} s. `
          + `The largest is ${number.format(all.largest)}; ${number.format(all.twins)} pairs of twins, widest gap ${all.widest_gap}.`);
      },
    }, { failed: (problem) => explain(panel, problem) });
  });
  cancel.addEventListener("click", () => {
    stream.close("cancelled");
    say(`Cancelled at ${bar.value.toFixed(0)} %.`);
    start.focus();
  });
}

function countdown() {
  const panel = find("#countdown");
  const form = find("form", panel);
  const dial = find("output", panel);
  const rest = find(".rest", panel);
  let stream;

  const describe = () => curl(panel, address("/api/countdown", { start: form.elements.start.value }));
  form.addEventListener("input", describe);
  describe();

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    stream?.close();
    explain(panel, null);
    const start = Number(form.elements.start.value);
    stream = new Stream(panel, address("/api/countdown", { start }), {
      message({ left }) {
        dial.textContent = left;
        rest.style.strokeDashoffset = 100 - (100 * left) / start;
      },
    }, { failed: (problem) => explain(panel, problem) });
  });
}

function routes() {
  const answer = find("#answer");
  for (const button of document.querySelectorAll(".fetch")) {
    button.addEventListener("click", async () => {
      const { url } = button.dataset;
      answer.hidden = false;
      try {
        const response = await fetch(url);
        answer.textContent = `GET ${url}  ${response.status}\n\n${JSON.stringify(await response.json(), null, 2)}`;
      } catch {
        answer.textContent = `GET ${url}  no answer`;
      }
    });
  }
}

function copying() {
  for (const button of document.querySelectorAll(".copy")) {
    button.addEventListener("click", async () => {
      const code = button.previousElementSibling;
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }
}

async function about() {
  try {
    const info = await (await fetch("/api/info")).json();
    find("#about").textContent = `flask_sse_routes ${info.flask_sse_routes} · Flask ${info.flask} · Python ${info.python}\n`
      + `${info.server}, process ${info.pid}`;
  } catch {
    find("#about").textContent = "";
  }
}

about();
metrics();
notifications();
logs();
task();
countdown();
routes();
copying();
