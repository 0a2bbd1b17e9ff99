import { describe, expect, it } from 'vitest';
import { createLogger } from './logger.ts';
import { isSecretName, maskTarget, maskText } from './masking.ts';

describe('masking', () => {
  it('finds a token in a target, in whatever spelling', () => {
    for (const target of [
      '/v2.0/tokens/MARK',
      '/v2.0/tokens/MARK/endpoints',
      '/v2.0/tokens/x/MARK',
      '/v2%2e0/tokens/MARK',
      '/v3/auth/tokens/MARK',
      '/v2.0/Tokens/MARK',
      '/v2.0/TOKENS/MARK?belongsTo=t',
      '/v2.0/%74okens/MARK',
      '/v2.0/%2574okens/MARK',
      '/v2.0//tokens//MARK',
      '/v2.0/tokens%2FMARK',
      '/v2.0%2Ftokens%2fMARK',
      '/v2.0/tokens%5cMARK',
      '/v2.0/tokens\\MARK',
      '/v2.0/tokens;MARK',
      'http://h/v2.0/tokens/MARK',
      'http://user:MARK@h/v2.0',
      '/v2.0/tenants?tokenid=MARK',
      '/v2.0/tenants?token_id=MARK&a=b',
      '/v1/AUTH_x/c/o?token=MARK',
      '/v1/AUTH_x/c/o?%74oken=MARK',
      '/v1/AUTH_x/c/o?temp_url_sig=MARK&temp_url_expires=1',
      '/b/k?AWSAccessKeyId=a&Signature=MARK&Expires=1',
      '/?Action=x&X-Amz-Signature=MARK',
      '/v2/t/servers?X-Auth-Token=MARK',
      '/vnc_auto.html?token=MARK',
      `/v2.0/users/eyJhbGciOiJFUzI1NiJ9.eyJqdGkiOiJNQVJLIn0.${'MARK'.repeat(22)}`,
      `/v2.0/users/MIIC${'MARK'.repeat(40)}`,
    ]) {
      expect(maskTarget(target)).not.toContain('MARK');
    }
  });

  it('leaves everything else as it is', () => {
    for (const target of [
      '/v2.0/tokens',
      '/v2.0/tokens/revoked',
      '/v2/t/servers/1?limit=2&marker=x',
      '/v1/AUTH_x/tokens-of-love/o?prefix=a',
      '/v2.0/OS-FOLSOM/token-keys',
      '/v1/%C3%BC?format=json',
    ]) {
      expect(maskTarget(target)).toBe(target);
    }
  });

  it('knows secrets by the names every service gives them', () => {
    for (const name of [
      'X-Auth-Token',
      'x-auth-key',
      'x-storage-token',
      'x-service-token',
      'X-Subject-Token',
      'authorization',
      'set-cookie',
      'x-account-meta-temp-url-key-2',
      'x-container-sync-key',
      'adminPass',
      'admin_pass',
      'password',
      'original_password',
      'secret',
      'ec2_secret_key',
      'signature',
      'user_data',
      'metadata_proxy_shared_secret',
      'metadata_encryption_key',
      'console_token',
    ]) {
      expect([name, isSecretName(name)]).toEqual([name, true]);
    }
    for (const name of [
      'key',
      'name',
      'tokens',
      'token_format',
      'key_name',
      'image',
      'secrets_left',
      'x-auth-user',
    ]) {
      expect([name, isSecretName(name)]).toEqual([name, false]);
    }
  });

  it('masks what an error says, and its stack', () => {
    const lines: string[] = [];
    const log = createLogger({ write: line => lines.push(line) });
    log.error('failed', { error: new Error('GET http://h/?token=MARK1: mysql://u:MARK2@h/db') });
    log.info('request', { path: '/v2.0/tokens/MARK3', line: 'http://h/v3/auth/tokens/MARK4' });
    expect(lines.join('')).not.toContain('MARK');
    expect(maskText('limit=5; token=MARK')).toBe('limit=5; token=***');
  });
});
