/** Values with the time of their setting; blank ones are deleted. */
export type Metadata = Record<string, [value: string, timestamp: string]>;

export function parseMetadata(text: string | null): Metadata {
  if (!text) return {};
  try {
    return JSON.parse(text) as Metadata;
  } catch {
    return {};
  }
}
