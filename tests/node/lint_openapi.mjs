// Lints the OpenAPI documents named on the command line by the rules of the specification;
// prints what is wrong, one fault a line.
import { readFileSync } from "node:fs";
import { createConfig, lintFromString } from "@redocly/openapi-core";

const config = await createConfig({ extends: ["spec"] });
for (const file of process.argv.slice(2)) {
  const source = readFileSync(file, "utf8");
  for (const problem of await lintFromString({ source, absoluteRef: file, config })) {
    console.log(`${problem.ruleId} ${problem.location[0]?.pointer}: ${problem.message}`);
  }
}
