/** Whether the server says with this event that the stream is over: no source comes back after. */
export function isLast(event) {
    return event.event === "end" || (event.event === "error" && event.id.endsWith("~end"));
}
