// output.mjs - compares what a command printed with what it printed when it was recorded.

/** stdout as a list of text lines and prettytable rows. */
function parseOutput(text) {
  const blocks = [];
  let table = null;
  for (const line of text.split('\n')) {
    if (/^\+[-+]+\+$/.test(line)) {
      if (!table) {
        table = { rows: [], rules: 0 };
        blocks.push(table);
      }
      if (++table.rules === 3) table = null;
    } else if (table && line.startsWith('|'))
      table.rows.push(
        line
          .slice(1, -1)
          .split(' | ')
          .map(c => c.replace(/^\||\|$/g, '').trim()),
      );
    else {
      table = null;
      blocks.push(line);
    }
  }
  return blocks;
}
export function compareOutput(c, exp, got) {
  const [e, g] = [parseOutput(exp), parseOutput(got)];
  if (e.length !== g.length) {
    c.hard('stdout', exp, got, 'other lines');
    return;
  }
  e.forEach((b, i) => {
    const p = `stdout[${i}]`;
    if (typeof b === 'string' || typeof g[i] === 'string') {
      if (typeof b !== typeof g[i]) c.hard(p, b, g[i]);
      else c.text(p, 'line', b, g[i]);
      return;
    }
    const row = (q, x, y) => {
      if (x.length !== y.length) c.hard(q, x, y, 'columns');
      else x.forEach((cell, k) => c.scalar(`${q}.${k}`, x.length === 2 && k ? x[0] : 'cell', cell, y[k]));
    };
    if (b.rows.length !== g[i].rows.length) c.hard(`${p}.rows`, b.rows.length, g[i].rows.length);
    if (b.rows.length) row(`${p}.head`, b.rows[0], g[i].rows[0] ?? []);
    c.matchUp(p, b.rows.slice(1), g[i].rows.slice(1), row);
  });
}
