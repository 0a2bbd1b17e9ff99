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

/**
 * crypt(3) on a worker thread, so that the event loop goes on and every core is used.
 *
 * @param key the password; must not contain NUL
 * @param setting the salt with its prefix and rounds, or a whole hash to compare with
 * @returns the hash; null when libcrypt does not understand the setting
 */
export function crypt(key: string, setting: string): Promise<string | null> {
  return new Promise((resolve, reject) => {
    if (key.includes('\0') || setting.includes('\0')) return resolve(null);
    const data = Buffer.alloc(CRYPT_DATA_BYTES);
    libcrypt().async(key, setting, data, (error, result) => {
      // The buffer must live until here; it held key material.
      data.fill(0);
      if (error) return reject(error);
      resolve(result === null || result.startsWith('*') ? null : result);
    });
  });
}
