/** A word for a shell, whatever is in it. */
const quoted = text => `'${String(text).replaceAll("'", `'\\''`)}'`;

/** Variables for the command lines; the password is asked for. */
export const openrc = ({
  user,
  project,
  authUrl,
  region,
}) => `# To be read by a shell: . ./${project.name}-openrc.sh
export OS_AUTH_URL=${quoted(authUrl)}
export OS_TENANT_NAME=${quoted(project.name)}
export OS_TENANT_ID=${quoted(project.id)}
export OS_PROJECT_NAME=${quoted(project.name)}
export OS_USERNAME=${quoted(user.name)}
${region ? `export OS_REGION_NAME=${quoted(region)}\n` : ''}export OS_IDENTITY_API_VERSION=2.0
export OS_COMPUTE_API_VERSION=2
printf 'Password of %s: ' "$OS_USERNAME" >&2
stty -echo; read -r OS_PASSWORD; stty echo; echo >&2
export OS_PASSWORD
`;

/** JSON is YAML. */
const scalar = text => JSON.stringify(String(text));

/** What today's openstack command and the SDKs read; the password goes into a file beside it, or is asked for. */
export const cloudsYaml = ({
  user,
  project,
  authUrl,
  region,
}) => `# ~/.config/openstack/clouds.yaml; then: openstack --os-cloud folsom server list
clouds:
  folsom:
    auth_type: v2password
    auth:
      auth_url: ${scalar(authUrl)}
      username: ${scalar(user.name)}
      tenant_name: ${scalar(project.name)}
${region ? `    region_name: ${scalar(region)}\n` : ''}    identity_api_version: '2.0'
    compute_api_version: '2'
    image_api_version: '1'
`;
