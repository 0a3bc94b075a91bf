// Reads {document, samples} from stdin: an AsyncAPI document, which the official parser reads, and for
// names of tables the JSON of one, which has to be what the document says of it. The folder that is
// named holds the parser. Prints what is wrong, one a line, and what the parser has understood.
const modules = process.argv[2] + "/node_modules/";
const { Parser } = require(modules + "@asyncapi/parser");
const Ajv = require(modules + "ajv");

function misfits(document, samples) {
  const ajv = new Ajv({ strict: false, validateFormats: false });
  ajv.addSchema({ $id: "document", ...document });
  return Object.entries(samples).flatMap(([table, sample]) =>
    ajv.validate({ $ref: `document#/components/schemas/${table}` }, sample) ? []
      : [`${table}: ${ajv.errorsText()}`]);
}

async function main() {
  const { document, samples } = JSON.parse(require("fs").readFileSync(0, "utf8"));
  const read = await new Parser().parse(JSON.stringify(document));
  const wrong = read.diagnostics.filter((each) => each.severity === 0)
    .map((each) => `${each.path.join(".")}: ${each.message}`);
  if (read.document) wrong.push(...misfits(document, samples));
  for (const each of wrong) console.log(each);
  if (wrong.length > 0) process.exit(1);
  console.log(JSON.stringify({
    channels: read.document.channels().all().map((each) => each.address()),
    operations: read.document.operations().all().map((each) => each.id()),
    payloads: read.document.messages().all().filter((each) => each.payload())
      .map((each) => each.name() ?? each.id()),
  }));
}
main();
