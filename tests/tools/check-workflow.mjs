// GitHub's own workflow parser over the files given as arguments. Inputs of actions come from actions.json, so that an
// input that an action does not have is found without a network. Prints one JSON line a finding.
import { readFileSync } from "node:fs";
import { validate } from "@actions/languageservice";
import { TextDocument } from "vscode-languageserver-textdocument";

const [table, ...files] = process.argv.slice(2);
const known = JSON.parse(readFileSync(table, "utf8")).actions;
const describe = (names) => Object.fromEntries(names.map((name) => [name, { description: name }]));
const actionsMetadataProvider = {
  async fetchActionMetadata({ owner, name }) {
    const action = known[`${owner}/${name}`];
    if (!action) throw new Error(`${owner}/${name} is not in ${table}`);
    return { name, description: name, inputs: describe(action.inputs), outputs: describe(action.outputs) };
  },
};
async function main() {
  for (const file of files) {
    const document = TextDocument.create(`file://${file}`, "yaml", 0, readFileSync(file, "utf8"));
    for (const { message, range } of await validate(document, { actionsMetadataProvider })) {
      console.log(JSON.stringify({ file, line: range.start.line + 1, message }));
    }
  }
}

main();
