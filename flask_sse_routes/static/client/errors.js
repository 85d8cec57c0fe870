/** What a program catches: the answer of a server that refused, or why there was none. */
/** A request that failed, or a stream that did. */
export class RouteError extends Error {
    name = "RouteError";
    /** The HTTP status; 0 where no answer came, or none that makes sense. */
    status;
    title;
    detail;
    /** For 422: what is wrong with which part of the input. */
    errors;
    /** The whole problem document (RFC 9457), with members of its own such as `error_id`. */
    problem;
    constructor(status, title, parts = {}) {
        const { detail = null, errors = [], problem = {}, cause } = parts;
        super(detail ?? title, cause === undefined ? undefined : { cause });
        this.status = status;
        this.title = title;
        this.detail = detail;
        this.errors = errors;
        this.problem = problem;
    }
}
/** The error that a problem document tells; `status` and `title` are for what it leaves out. */
export function problemError(document, status, title) {
    if (typeof document !== "object" || document === null || Array.isArray(document)) {
        return new RouteError(status, title, typeof document === "string" ? { detail: document } : {});
    }
    const problem = document;
    return new RouteError(typeof problem["status"] === "number" ? problem["status"] : status, typeof problem["title"] === "string" ? problem["title"] : title, {
        detail: typeof problem["detail"] === "string" ? problem["detail"] : null,
        errors: Array.isArray(problem["errors"]) ? problem["errors"] : [],
        problem,
    });
}
/** A failure without an answer of the server. */
export function noAnswer(title, detail, cause) {
    return new RouteError(0, title, { detail, cause });
}
