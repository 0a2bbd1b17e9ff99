// leaves.mjs - which scenarios can be taken out without changing what the others see.
import { tokenize } from './compare.mjs';

/** A token request changes nothing another scenario could see, unless it uses that token. */
const mutates = x =>
  x.response.status < 400 &&
  !/^(GET|HEAD|OPTIONS)$/.test(x.request.method ?? 'GET') &&
  !(x.request.method === 'POST' && /\/tokens$/.test(x.request.path));
export function findLeaves(scenarios) {
  const opaque = t =>
    tokenize(t ?? '')
      .tokens.filter(k => !/rfc1123|iso|request|trans|address|epoch|crypt/.test(k.kind))
      .map(k => k.value);
  const headersText = m => m.headers.map(([, v]) => v).join('\n');
  const inRequests = s =>
    new Set(
      s.exchanges
        .flatMap(x =>
          opaque(
            `${x.request.path}\n${headersText(x.request)}\n${x.request.body?.length < 200000 ? x.request.body : ''}`,
          ),
        )
        .concat(opaque(s.command)),
    );
  const inResponses = s =>
    new Set(s.exchanges.flatMap(x => opaque(`${headersText(x.response)}\n${x.response.body ?? ''}`)));
  const lastUse = new Map();
  scenarios.forEach((s, i) => {
    for (const v of inRequests(s)) lastUse.set(v, i);
  });
  const seen = new Set();
  return scenarios.filter((s, i) => {
    const fresh = [...inResponses(s)].filter(v => !seen.has(v));
    inRequests(s).forEach(v => seen.add(v));
    fresh.forEach(v => seen.add(v));
    return !s.exchanges.some(mutates) && !fresh.some(v => lastUse.get(v) > i);
  });
}
