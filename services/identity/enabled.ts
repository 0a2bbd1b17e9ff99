/**
 * Whether a user or tenant is enabled. The field is stored as it was sent; absent means yes. Texts that say no count as
 * no, whatever their type: nobody who writes `"false"` means yes.
 */
export function isEnabled(document: Readonly<Record<string, unknown>>): boolean {
  const value = document.enabled;
  if (value === undefined) return true;
  if (typeof value === 'string')
    return !['', 'false', '0', 'no', 'off', 'f', 'n'].includes(value.toLowerCase());
  return Boolean(value);
}
