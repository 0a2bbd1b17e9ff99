// references.mjs - what a setup step says about the recording.
import { header } from './wire.mjs';

/** {{slug:exchange:field:regex}} in a setup step names a value of the recording, e.g. the token a scenario uses. */
export function resolveReferences(text, scenarios) {
  return text.replace(
    /\{\{([\w-]+):(\d+):(path|token|request|response):(.+?)\}\}/g,
    (m, slug, n, field, re) => {
      const x = scenarios.find(s => s.slug.replace(/^\d+-/, '') === slug)?.exchanges[n - 1];
      if (!x) throw new Error(`setup refers to an unknown exchange: ${m}`);
      const source = {
        path: x.request.path,
        token: header(x.request.headers, 'x-auth-token'),
        request: x.request.body?.toString(),
        response: x.response.body?.toString(),
      }[field];
      const found = new RegExp(re).exec(source ?? '');
      if (!found) throw new Error(`setup: nothing matches ${m}`);
      return found[1] ?? found[0];
    },
  );
}
