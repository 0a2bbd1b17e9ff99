/**
 * Faults: every answer other than success that a user may see. A service keeps its own catalogue (name, status,
 * text) and one renderer for the outer shape; anything thrown that is not a Fault is a bug and becomes a bare 500.
 */
export class Fault extends Error {
  /** The catalogued name, e.g. `InstanceNotFound`; also the exception class on the bus. */
  override readonly name: string;
  readonly status: number;
  /** Values the text was made from; travel as `kwargs` over the bus. */
  readonly values: Readonly<Record<string, unknown>>;
  /** Extra response headers, e.g. `retry-after`. */
  readonly headers: Readonly<Record<string, string>>;
  /** Python module of the exception a Folsom peer would raise, e.g. `nova.exception`. */
  readonly module: string | undefined;

  constructor(name: string, status: number, message: string, options: FaultOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = name;
    this.status = status;
    this.values = options.values ?? {};
    this.headers = options.headers ?? {};
    this.module = options.module;
  }
}

export interface FaultOptions {
  values?: Record<string, unknown>;
  headers?: Record<string, string>;
  module?: string;
  cause?: unknown;
}

export interface FaultEntry {
  /** HTTP status. Absent where the front end decides; what no front end has a word for is 500. */
  status?: number;
  /** Text with `%(name)s` placeholders filled from the values. */
  text: string;
  headers?: Record<string, string>;
}

export type FaultMaker<Name extends string> = (
  name: Name,
  values?: Record<string, unknown>,
  options?: Omit<FaultOptions, 'values'> & { message?: string },
) => Fault;

/** Fills `%(name)s` placeholders; one without a value stays as it is. */
const fillText = (text: string, values: Record<string, unknown>): string =>
  text.replace(/%\((\w+)\)[sdr]/g, (whole, key: string) => (key in values ? String(values[key]) : whole));

/**
 * Declares a catalogue and returns the function that makes its faults.
 *
 * `const fault = catalogue({ InstanceNotFound: { status: 404, text: 'Instance %(instance_id)s could not be found.' } })`
 * `throw fault('InstanceNotFound', { instance_id: id })`
 */
export function catalogue<const T extends Record<string, FaultEntry>>(
  entries: T,
  shared: { module?: string } = {},
): FaultMaker<keyof T & string> & { entries: T } {
  const make = (
    name: keyof T & string,
    values: Record<string, unknown> = {},
    options: Omit<FaultOptions, 'values'> & { message?: string } = {},
  ) => {
    const entry = entries[name] as FaultEntry;
    return new Fault(name, entry.status ?? 500, options.message ?? fillText(entry.text, values), {
      ...shared,
      ...options,
      values,
      headers: { ...entry.headers, ...options.headers },
    });
  };
  return Object.assign(make, { entries });
}

export const isFault = (error: unknown, name?: string): error is Fault =>
  error instanceof Fault && (name === undefined || error.name === name);
