/** Turns EADDRINUSE and its like into the sentence an operator needs. */
export function explainListen(error: unknown, name: string, host: string, port: number): Error {
  const code = (error as { code?: string }).code;
  const at = `${host}:${port}`;
  if (code === 'EADDRINUSE')
    return new Error(`${name}: port ${port} on ${host} is already in use by another program`);
  if (code === 'EACCES') return new Error(`${name}: not allowed to listen on ${at}`);
  if (code === 'EADDRNOTAVAIL') return new Error(`${name}: this machine has no address ${host}`);
  return error instanceof Error ? error : new Error(String(error));
}
