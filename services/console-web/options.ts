import { int, options, port, str } from '@folsom/config';

export const consoleWebOptions = options('DEFAULT', {
  auth_url: str(
    'http://127.0.0.1:5000/v2.0',
    'Public address of keystone; every other one is in its catalog',
  ),
  region: str(null, "Region whose services are shown; the catalog's first unless given"),
  bind_host: str('127.0.0.1', 'Address to listen on'),
  bind_port: port(8090, 'Port to listen on'),
  cert_file: str(null, 'Certificate (PEM); with it the console speaks TLS only'),
  key_file: str(null, 'Private key (PEM); in cert_file unless given'),
  session_idle_minutes: int(60, 'Minutes without a request of the person after which a login ends', {
    min: 1,
  }),
  session_hours: int(12, "Hours after which a login ends in any case; its token's end comes first", {
    min: 1,
  }),
});
