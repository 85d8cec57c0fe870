/** One call of a route that answers once. */
import { noAnswer, RouteError } from "./errors.js";
import { ask } from "./redirects.js";
import { givenHeaders } from "./request.js";
import { refusal, valueOf } from "./response.js";
/** The answer's value; rejects with a `RouteError`, or as the caller's signal says. */
export async function call(target, options, { signal = null } = {}) {
    const given = await givenHeaders(options);
    const own = { Accept: "application/json, */*;q=0.5" };
    try {
        const asked = { ...target, own, given, cache: "default", signal };
        const response = await ask(asked, options);
        if (!response.ok)
            throw await refusal(response);
        return await valueOf(response);
    }
    catch (cause) {
        if (cause instanceof RouteError || signal?.aborted)
            throw cause;
        throw noAnswer("No answer", `${target.method} ${target.url.href} got no answer.`, cause);
    }
}
