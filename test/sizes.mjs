// `npm run check -- sizes`: no file above FILE_LINES, no function above FUNCTION_LINES; those above NOTED_LINES are printed and stay fewer
// than NOTED_MAX, those of the tests among them. A function's lines are its own: those of the functions written inside it count for them and not for
// it, so that what gives back ten short functions is short.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseSync, Visitor } from 'oxc-parser';

const FILE_LINES = 500;
const FUNCTION_LINES = 100;
const NOTED_LINES = 70;
const NOTED_MAX = 20;

const root = fileURLToPath(new URL('..', import.meta.url));

/** Own lines of every function of a file: `{ name, line, lines }`. */
function functionsOf(path, text) {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  const lineOf = offset => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle] <= offset) low = middle;
      else high = middle - 1;
    }
    return low + 1;
  };
  const found = [];
  const open = [];
  const enter = node => {
    const first = lineOf(node.start);
    const lines = lineOf(node.end) - first + 1;
    open.push({
      name: node.id?.name ?? names.get(node.start) ?? 'function',
      line: first,
      whole: lines,
      lines,
    });
  };
  const leave = () => {
    const done = open.pop();
    found.push(done);
    const outer = open.at(-1);
    // The line on which it starts belongs to the outer one, too.
    if (outer) outer.lines -= done.whole - 1;
  };
  /** What a function is called that has no name of its own, by where it starts. */
  const names = new Map();
  const called = (node, name) => {
    if (node && name) names.set(node.start, name);
  };
  const visitor = new Visitor({
    VariableDeclarator: node => called(node.init, node.id.name),
    Property: node => called(node.value, node.key.name),
    PropertyDefinition: node => called(node.value, node.key.name),
    MethodDefinition: node => called(node.value, node.key.name),
    FunctionDeclaration: enter,
    'FunctionDeclaration:exit': leave,
    FunctionExpression: enter,
    'FunctionExpression:exit': leave,
    ArrowFunctionExpression: enter,
    'ArrowFunctionExpression:exit': leave,
  });
  visitor.visit(parseSync(path, text).program);
  return found;
}

const files = execFileSync('git', ['ls-files', '*.ts', '*.mjs', '*.js', '*.cjs'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter(path => path !== '');
const errors = [];
const noted = [];
for (const path of files) {
  let text;
  try {
    text = readFileSync(root + path, 'utf8');
  } catch {
    continue;
  }
  const lines = text.split('\n').length - 1;
  if (lines > FILE_LINES) errors.push(`${path}: ${lines} lines, at most ${FILE_LINES}`);
  for (const { name, line, lines: own } of functionsOf(path, text)) {
    const where = `${path}:${line} ${name} ${own} lines`;
    if (own > FUNCTION_LINES) errors.push(`${where}, at most ${FUNCTION_LINES}`);
    else if (own > NOTED_LINES) noted.push(where);
  }
}
for (const where of noted.sort()) console.log(`long: ${where}`);
if (noted.length >= NOTED_MAX) {
  errors.push(`${noted.length} functions above ${NOTED_LINES} lines: must be fewer than ${NOTED_MAX}`);
}
for (const error of errors) console.error(error);
process.exitCode = errors.length === 0 ? 0 : 1;
