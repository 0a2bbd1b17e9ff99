import { availableParallelism } from 'node:os';
import koffi from 'koffi';

/** Size of `struct crypt_data` (glibc's libcrypt and libxcrypt both fit). */
const CRYPT_DATA_BYTES = 32_768;

interface CryptFunction {
  async(
    key: string,
    setting: string,
    data: Buffer,
    done: (error: Error | null, result: string | null) => void,
  ): void;
}

let loaded: CryptFunction | undefined;

function libcrypt(): CryptFunction {
  if (loaded) return loaded;
  for (const name of ['libcrypt.so.1', 'libcrypt.so.2']) {
    try {
      const library = koffi.load(name);
      loaded = library.func(
        'str crypt_r(const char *key, const char *setting, void *data)',
      ) as unknown as CryptFunction;
      return loaded;
    } catch {
      // The next name may exist.
    }
  }
  throw new Error('libcrypt is not installed on this host (Debian: libcrypt1)');
}

/** More at a time would only take turns on the processors, and keep file and name look-ups waiting. */
const AT_A_TIME = availableParallelism();
let running = 0;
const waiting: (() => void)[] = [];

/**
 * crypt(3) on a worker thread, so that the event loop goes on and every core is used. Calls beyond the number of cores
 * wait for their turn, first come first served.
 *
 * @param key the password; must not contain NUL
 * @param setting the salt with its prefix and rounds, or a whole hash to compare with
 * @returns the hash; null when libcrypt does not understand the setting
 */
export async function crypt(key: string, setting: string): Promise<string | null> {
  if (key.includes('\0') || setting.includes('\0')) return null;
  if (running >= AT_A_TIME) await new Promise<void>(turn => waiting.push(turn));
  else running += 1;
  try {
    return await cryptOnThread(key, setting);
  } finally {
    // The place goes to the next in line, or is free again.
    const next = waiting.shift();
    if (next) next();
    else running -= 1;
  }
}

function cryptOnThread(key: string, setting: string): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const data = Buffer.alloc(CRYPT_DATA_BYTES);
    libcrypt().async(key, setting, data, (error, result) => {
      // The buffer must live until here; it held key material.
      data.fill(0);
      if (error) return reject(error);
      resolve(result === null || result.startsWith('*') ? null : result);
    });
  });
}
