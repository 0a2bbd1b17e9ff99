/** Everybody may read and list. */
export const PUBLIC_ACL = '.r:*,.rlistings';

export const isPublic = acl => /(^|,)\s*\.r:\*\s*(,|$)/.test(acl ?? '');

/** The path of an object: the name as one part, so that nothing in it is taken for a path of ours. */
export const objectPath = (container, name) => `${encodeURIComponent(container)}/${encodeURIComponent(name)}`;

/** An object's own address, for those without a login. */
export const publicUrl = (base, container, name) =>
  `${base}/${encodeURIComponent(container)}/${name.split('/').map(encodeURIComponent).join('/')}`;
