/** One call of a route that answers once. */
import { noAnswer, RouteError } from "./errors.js";
import { ask } from "./redirects.js";
import { givenHeaders, type Target } from "./request.js";
import { refusal, valueOf } from "./response.js";
import type { CallOptions, ConnectOptions } from "./types.js";

/** The answer's value; rejects with a `RouteError`, or as the caller's signal says. */
export async function call(
  target: Target,
  options: ConnectOptions,
  { signal = null }: { signal?: CallOptions["signal"] | null } = {},
): Promise<unknown> {
  const given = await givenHeaders(options);
  const own = { Accept: "application/json, */*;q=0.5" };
  try {
    const asked = { ...target, own, given, cache: "default", signal } as const;
    const response = await ask(asked, options);
    if (!response.ok) throw await refusal(response);
    return await valueOf(response);
  } catch (cause) {
    if (cause instanceof RouteError || signal?.aborted) throw cause;
    throw noAnswer("No answer", `${target.method} ${target.url.href} got no answer.`, cause);
  }
}
