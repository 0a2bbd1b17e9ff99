// xml.mjs - a small XML parser: elements, attributes, namespaces, CDATA, entities; null if not well-formed.
const ENTITIES = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };
const decode = s =>
  s.replace(/&(#x?[0-9a-fA-F]+|\w+);/g, (m, e) =>
    e[0] === '#'
      ? String.fromCodePoint(e[1] === 'x' ? parseInt(e.slice(2), 16) : +e.slice(1))
      : (ENTITIES[e] ?? m),
  );
export function parseXml(source) {
  const root = { children: [], text: '', ns: { '': '', xml: 'xml' } };
  const stack = [root];
  const re =
    /<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<!DOCTYPE[^>[]*(?:\[[\s\S]*?\])?>|<!\[CDATA\[([\s\S]*?)\]\]>|<\/([^\s>]+)\s*>|<([^\s/>!?]+)((?:\s+[^\s=/>]+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*(\/?)>|([^<]+)/y;
  while (re.lastIndex < source.length) {
    const m = re.exec(source);
    if (!m) return null;
    const top = stack.at(-1);
    if (m[1] !== undefined) top.text += m[1];
    else if (m[2]) {
      if (stack.length < 2 || top.raw !== m[2]) return null;
      stack.pop();
      top.text = top.text.trim();
    } else if (m[3]) {
      const node = { raw: m[3], attrs: {}, children: [], text: '', ns: { ...top.ns } };
      const attrs = [...m[4].matchAll(/([^\s=]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)].map(a => [
        a[1],
        decode(a[2] ?? a[3]),
      ]);
      for (const [n, v] of attrs)
        if (n === 'xmlns') node.ns[''] = v;
        else if (n.startsWith('xmlns:')) node.ns[n.slice(6)] = v;
      const resolve = (name, plain) => {
        const i = name.indexOf(':');
        return i < 0
          ? plain + name
          : `{${node.ns[name.slice(0, i)] ?? name.slice(0, i)}}${name.slice(i + 1)}`;
      };
      node.tag = resolve(m[3], node.ns[''] ? `{${node.ns['']}}` : '');
      for (const [n, v] of attrs) if (!/^xmlns(:|$)/.test(n)) node.attrs[resolve(n, '')] = v;
      top.children.push(node);
      if (!m[5]) stack.push(node);
    } else if (m[6]) top.text += decode(m[6]);
  }
  return stack.length === 1 && root.children.length === 1 && !root.text.trim() ? root.children[0] : null;
}
