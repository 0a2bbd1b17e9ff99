import { isFault } from '@folsom/core';
import { action } from '../http/action.ts';
import { apiError } from '../http/faults.ts';
import { listOf, required, text } from '../http/shapes.ts';

const PUBLIC_KEY_CHARS_MAX = 32_768;

const describeKeyPairs = action({
  name: 'DescribeKeyPairs',
  about: "The caller's key pairs, or those named.",
  parameters: { KeyName: listOf() },
  run: async ({ domain, context, config }, { KeyName }) => {
    const pairs = (await domain.keyPairs.list(context)).filter(
      pair => KeyName === undefined || KeyName.includes(pair.name),
    );
    if (KeyName !== undefined && pairs.length === 0) {
      throw apiError(`Could not find key pair(s): ${KeyName.join(',')}`);
    }
    const shown = pairs.filter(pair => context.isAdmin || !pair.name.endsWith(config.vpn_key_suffix));
    shown.sort((a, b) => a.id - b.id);
    return { keySet: shown.map(pair => ({ keyName: pair.name, keyFingerprint: pair.fingerprint })) };
  },
});

const createKeyPair = action({
  name: 'CreateKeyPair',
  about: 'A new key pair; its private key is in the answer and nowhere else.',
  parameters: { KeyName: required(text()) },
  run: async ({ domain, context }, { KeyName }) => {
    const made = await domain.keyPairs.make(context, KeyName);
    return { keyMaterial: made.private_key, keyName: KeyName, keyFingerprint: made.fingerprint };
  },
});

const importKeyPair = action({
  name: 'ImportKeyPair',
  about: 'A key pair of which only the public key is given, in base64.',
  parameters: { KeyName: required(text()), PublicKeyMaterial: required(text(PUBLIC_KEY_CHARS_MAX)) },
  faults: {
    KeyPairExists: fault => apiError(`Key pair '${String(fault.values.key_name)}' already exists.`),
  },
  run: async ({ domain, context }, { KeyName, PublicKeyMaterial }) => {
    const key = Buffer.from(PublicKeyMaterial, 'base64').toString('utf8');
    const made = await domain.keyPairs.import(context, KeyName, key);
    return { keyName: KeyName, keyFingerprint: made.fingerprint };
  },
});

const deleteKeyPair = action({
  name: 'DeleteKeyPair',
  about: 'Deletes a key pair; one that is not there counts as deleted.',
  parameters: { KeyName: required(text()) },
  run: async ({ domain, context }, { KeyName }) => {
    await domain.keyPairs.delete(context, KeyName).catch(error => {
      if (!isFault(error, 'KeypairNotFound')) throw error;
    });
    return true;
  },
});

export const keyPairActions = [describeKeyPairs, createKeyPair, importKeyPair, deleteKeyPair];
