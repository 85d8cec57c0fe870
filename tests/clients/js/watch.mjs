// Opens a stream and tells all that happens to it, as plain values: [what, value, ...].

// Waits are drawn at random: always the same of them, and a short one, is drawn here.
const LUCK = 0.1;

/** Options of `connect` from what a test can say: headers that are asked for, and fail once. */
export function connectOptions({ headersTold, ...options }) {
  if (!headersTold) return options;
  let count = 0;
  const headers = async () => {
    count += 1;
    if (count === headersTold.failsAt) throw new Error("no token");
    return { Authorization: `Bearer ${count}` };
  };
  return { ...options, headers };
}

function plain(error) {
  const { name, status, title, detail, errors, problem } = error;
  return { name, status, title, detail, errors, problem };
}

/**
 * `spec`: the call's name, input and options, what its handlers do, whether retries are told, and
 * the part of the longest wait that is always drawn.
 */
export function watch(client, spec, tell) {
  Math.random = () => spec.luck ?? LUCK;
  const { name, input = {}, options = {}, closes = {}, iterate = false, retries = false } = spec;
  let connection = null;
  const told = (what, ...values) => {
    tell([what, ...values]);
    if (closes.on === what) connection.close();
  };
  const handlers = iterate ? {} : {
    onOpen: () => told("open"),
    onEvent: ({ event, data, id }) => told("event", event, data, id),
    onError: (error) => told("error", plain(error)),
    onEnd: (data) => told("end", data ?? null),
    onReset: ({ reason }) => told("reset", reason),
  };
  if (retries) {
    handlers.onRetry = ({ attempt, delay, error }) => told("retry", attempt, delay, plain(error));
  }
  try {
    connection = client.$sse[name](input, { ...handlers, ...options });
  } catch (error) {
    tell(["thrown", `${error.name}: ${error.message}`]);
    return null;
  }
  if (iterate) void loop(connection, spec, tell);
  return connection;
}

async function loop(connection, { leaveAfter = Infinity, slowly = 0 }, tell) {
  let count = 0;
  try {
    for await (const { event, data, id } of connection) {
      tell(["event", event, data, id]);
      count += 1;
      if (count >= leaveAfter) break;
      if (slowly) await new Promise((resolve) => setTimeout(resolve, slowly));
    }
    tell(["done"]);
  } catch (error) {
    tell(["error", plain(error)]);
  }
}

/** One call, and what became of it. */
export async function ask(client, { name, input, options }, tell) {
  try {
    const value = await client.$api[name](input, options);
    tell(["value", value instanceof Blob ? `Blob ${value.size}` : value]);
  } catch (error) {
    tell(["error", plain(error)]);
  }
}
