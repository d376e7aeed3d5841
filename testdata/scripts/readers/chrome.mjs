// chrome.mjs READERS TRACE: what Chrome's DevTools make of a trace, a line [trace, span, parent]
// for each slice that they draw.
//
// Runs the engine that DevTools import traces with, all of its handlers. A slice that lies within
// another on its thread hangs under that one; one that does not is said to by its arguments.
// Slices that overlap others without lying within them are not drawn, and so not listed.
import {createRequire} from 'node:module';
import {readFileSync} from 'node:fs';
import {pathToFileURL} from 'node:url';

const [readers, file] = process.argv.slice(2);
const engine = createRequire(pathToFileURL(`${readers}/`)).resolve('@paulirish/trace_engine');
const {TraceModel} = await import(pathToFileURL(engine));
const {traceEvents, metadata} = JSON.parse(readFileSync(file, 'utf8'));
const model = TraceModel.Model.createWithAllHandlers();
await model.parse(traceEvents, {metadata});
const {Renderer} = model.parsedTrace().data;
const lines = [];
for (const [entry, {parent}] of Renderer.entryToNode) {
  const {trace, span, parent: told} = entry.args;
  lines.push(JSON.stringify([trace, span, parent?.entry.args.span ?? told ?? null]));
}
process.stdout.write(lines.join('\n'));
