// node run.mjs MODULE: does what each line of standard input says, and prints what it tells.
//
// {"do": "open" | "call", "base", "spec", "connect"}, {"do": "state"}, {"do": "close"}; each line
// that is printed begins with the number of the test that it belongs to.
import { createInterface } from "node:readline";
import { ask, connectOptions, watch } from "./watch.mjs";

const { connect } = await import(process.argv[2]);
const print = (run, value) => process.stdout.write(`${JSON.stringify([run, ...value])}\n`);
let connection = null;

const does = {
  open({ base, spec, connect: options }, tell) {
    connection = watch(connect(base, connectOptions(options)), spec, tell);
  },
  call({ base, spec, connect: options }, tell) {
    void ask(connect(base, connectOptions(options)), spec, tell);
  },
  state: (_, tell) => tell(["state", connection.readyState, connection.lastEventId]),
  close: () => connection?.close(),
};

for await (const line of createInterface({ input: process.stdin })) {
  const wanted = JSON.parse(line);
  does[wanted.do](wanted, (value) => print(wanted.run, value));
}
process.exit(0);
