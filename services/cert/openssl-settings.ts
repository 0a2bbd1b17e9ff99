/** Of what a subject may consist, in the order in which it is signed. */
const SUBJECT = [
  'countryName',
  'stateOrProvinceName',
  'localityName',
  'organizationName',
  'organizationalUnitName',
  'commonName',
  'emailAddress',
];

/** `openssl.cnf` of an authority, for whoever signs or revokes with `openssl ca` in its directory. */
export const opensslSettings = ({ caFile, keyFile }: Record<'caFile' | 'keyFile', string>): string => `[ca]
default_ca = authority

[authority]
certificate = ./${caFile}
private_key = ./${keyFile}
serial = ./serial
database = ./index.txt
new_certs_dir = ./newcerts
unique_subject = no
default_days = 365
default_crl_days = 365
default_md = sha256
preserve = no
email_in_dn = no
policy = subject

[subject]
${SUBJECT.map(name => `${name} = optional\n`).join('')}`;
