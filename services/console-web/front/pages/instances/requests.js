/** The requests that this page has made for an instance: their way can be drawn. Newest last. */
const made = new Map();
const KEPT = 20;

export function noteRequest(instance, name, id) {
  if (!id) return;
  made.set(instance, [...(made.get(instance) ?? []), { name, id, at: Date.now() }].slice(-KEPT));
}

export const requestsOf = instance => made.get(instance) ?? [];
