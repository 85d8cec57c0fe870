/** The event that has a stream's state. */
export const STATE = "snapshot";
/** Milliseconds that the state may take to come. */
const STATE_TIME = 15_000;
/** The id of an event of channels: the numbers of an epoch grow. */
const PLACE = /^(.+)-([0-9]{1,15})$/;
/** Ask for the state; `null` where the stream begins with something else, or not at all. */
export function askForState(open, signal) {
    return new Promise((resolve) => {
        let source = null;
        const finish = (event) => {
            clearTimeout(alarm);
            signal.removeEventListener("abort", giveUp);
            source?.stop();
            resolve(event);
        };
        const giveUp = () => finish(null);
        const alarm = setTimeout(giveUp, STATE_TIME);
        signal.addEventListener("abort", giveUp);
        const nothing = () => undefined;
        source = open("", {
            opened: nothing,
            lost: nothing,
            retries: nothing,
            troubled: nothing,
            over: giveUp,
            event(event) {
                finish(event.event === STATE && PLACE.test(event.id) ? event : null);
                return undefined;
            },
        });
    });
}
/** Whether what came with one id is in the state that came with another. */
export function isWithin(id, state) {
    const [, epoch, number] = PLACE.exec(id) ?? [];
    const [, ours, until] = PLACE.exec(state) ?? [];
    return epoch !== undefined && epoch === ours && Number(number) <= Number(until);
}
