/** Fails loudly when the code itself is wrong; never for bad input. Kept on in production. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}

/** A value that must be there, with what makes sure of it; never for what somebody sent. */
export function must<T>(value: T, message: string): NonNullable<T> {
  if (value === null || value === undefined) throw new Error(`assertion failed: ${message}`);
  return value;
}
