import { must } from '@folsom/core';
import { run } from '@folsom/host/run';
import { ConfError, type ConfSection } from '@folsom/swift';

/**
 * Goes on as the user that a section's `user` names, once the ports are taken, as the original's servers and daemons
 * do. Only root can, and only a user that is named is changed to.
 * @throws ConfError if there is no such user
 */
export async function becomeUser(section: ConfSection): Promise<void> {
  const user = section.str('user', '');
  if (user === '' || process.getuid?.() !== 0) return;
  const { code, stdout } = await run(['getent', 'passwd', user], { timeoutMs: 10_000, allowedCodes: 'any' });
  const [name, , uid, gid] = stdout.split(':');
  if (code !== 0 || !name || !uid || !gid)
    throw new ConfError(`user = ${user}: no such user on this machine`);
  if (uid === '0') return;
  // Node has it; its types do not.
  (process as unknown as { initgroups(user: string, group: number): void }).initgroups(name, Number(gid));
  must(process.setgid, 'setgid is there')(Number(gid));
  must(process.setuid, 'setuid is there')(Number(uid));
  process.env.HOME = '/';
}
