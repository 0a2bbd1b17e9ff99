import type { XmlTemplate } from '@folsom/wire/nova-xml';

/** What a handler gives back. */
export interface Answer {
  status: number;
  /** The JSON view; absent for answers without a body. */
  view?: Record<string, unknown>;
  headers?: Readonly<Record<string, string>>;
  /** Overrides the operation's template. */
  xml?: XmlTemplate;
  /** Content type of an answer without a view; default that of the format asked for. */
  type?: string;
  /** What stands in an answer without a view. */
  text?: string;
}

export const ok = (view: Record<string, unknown>, more: Partial<Answer> = {}): Answer => ({
  status: 200,
  view,
  ...more,
});

/** An answer without a body in the format asked for, as Folsom gives where a handler returned nothing. */
export const nothing = (status: number): Answer => ({ status });

/** An answer without a body and the default media type of Folsom's web framework. */
export const empty = (status = 202, headers: Record<string, string> = {}): Answer => ({
  status,
  headers,
  type: 'text/html; charset=UTF-8',
});

interface RawJson {
  rawJSON(text: string): unknown;
}

/** A number that JSON and XML show with its fraction (`1.0`), as Python does. */
export const float = (value: number): unknown =>
  (JSON as unknown as RawJson).rawJSON(Number.isInteger(value) ? `${value}.0` : String(value));
