// Run on the machine of the test, with the Node that was installed: an empty image and a guest of it. Prints the guest's state as
// nova-api tells it. `first-guest.mjs boot` makes both and waits, `first-guest.mjs show` only looks.
const { OS_AUTH_URL, OS_USERNAME, OS_PASSWORD, OS_TENANT_NAME } = process.env;

async function call(url, { method = 'GET', headers = {}, body } = {}) {
  const response = await fetch(url, { method, headers, ...(body === undefined ? {} : { body }) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${text}`);
  return JSON.parse(text);
}

const json = { 'content-type': 'application/json' };
const { access } = await call(`${OS_AUTH_URL}/tokens`, {
  method: 'POST',
  headers: json,
  body: JSON.stringify({
    auth: {
      tenantName: OS_TENANT_NAME,
      passwordCredentials: { username: OS_USERNAME, password: OS_PASSWORD },
    },
  }),
});
const endpoint = type => access.serviceCatalog.find(service => service.type === type).endpoints[0].publicURL;
const auth = { 'x-auth-token': access.token.id };
const compute = endpoint('compute');
const first = async () => (await call(`${compute}/servers/detail`, { headers: auth })).servers[0];

if (process.argv[2] === 'boot') {
  const image = endpoint('image').replace(/\/v\d.*$/, '');
  const made = await call(`${image}/v1/images`, {
    method: 'POST',
    headers: {
      ...auth,
      'content-type': 'application/octet-stream',
      'x-image-meta-name': 'empty',
      'x-image-meta-disk_format': 'raw',
      'x-image-meta-container_format': 'bare',
    },
    body: Buffer.alloc(1024 * 1024),
  });
  const server = { name: 'first', imageRef: made.image.id, flavorRef: '1' };
  await call(`${compute}/servers`, {
    method: 'POST',
    headers: { ...auth, ...json },
    body: JSON.stringify({ server }),
  });
  while ((await first()).status === 'BUILD') await new Promise(resolve => setTimeout(resolve, 500));
}
const { status, id, fault } = await first();
console.log(JSON.stringify({ status, id, ...(fault ? { fault } : {}) }));
