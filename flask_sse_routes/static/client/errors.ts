/** What a program catches: the answer of a server that refused, or why there was none. */

/** A fault in the input, as the server names it. */
export interface Fault {
  loc: (string | number)[];
  msg: string;
  type: string;
}

export interface ErrorParts {
  detail?: string | null;
  errors?: Fault[];
  problem?: Record<string, unknown>;
  cause?: unknown;
}

/** A request that failed, or a stream that did. */
export class RouteError extends Error {
  override readonly name = "RouteError";
  /** The HTTP status; 0 where no answer came, or none that makes sense. */
  readonly status: number;
  readonly title: string;
  readonly detail: string | null;
  /** For 422: what is wrong with which part of the input. */
  readonly errors: Fault[];
  /** The whole problem document (RFC 9457), with members of its own such as `error_id`. */
  readonly problem: Record<string, unknown>;

  constructor(status: number, title: string, parts: ErrorParts = {}) {
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
export function problemError(document: unknown, status: number, title: string): RouteError {
  if (typeof document !== "object" || document === null || Array.isArray(document)) {
    return new RouteError(status, title, typeof document === "string" ? { detail: document } : {});
  }
  const problem = document as Record<string, unknown>;
  return new RouteError(
    typeof problem["status"] === "number" ? problem["status"] : status,
    typeof problem["title"] === "string" ? problem["title"] : title,
    {
      detail: typeof problem["detail"] === "string" ? problem["detail"] : null,
      errors: Array.isArray(problem["errors"]) ? (problem["errors"] as Fault[]) : [],
      problem,
    },
  );
}

/** A failure without an answer of the server. */
export function noAnswer(title: string, detail: string, cause?: unknown): RouteError {
  return new RouteError(0, title, { detail, cause });
}
