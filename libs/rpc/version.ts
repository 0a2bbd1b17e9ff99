/** Whether an endpoint that serves `served` answers a message of version `asked` (absent: 1.0). */
export function versionServed(served: string | undefined, asked: string | null | undefined): boolean {
  if (served === undefined) return true;
  const [servedMajor, servedMinor] = parts(served);
  const [askedMajor, askedMinor] = parts(asked || '1.0');
  return servedMajor === askedMajor && askedMinor <= servedMinor;
}

function parts(version: string): [number, number] {
  const [major = '', minor = ''] = version.split('.');
  return [Number.parseInt(major, 10), Number.parseInt(minor, 10)];
}
