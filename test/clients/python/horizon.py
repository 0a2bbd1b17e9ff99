"""The calls that Horizon 2012.2.4 makes for its volume pages and for the EC2 credentials; prints one JSON object a line."""
import json
import os
import time

from cinderclient.v1 import client as cinder_client
from keystoneclient.v2_0 import client as keystone_client
from novaclient.v1_1 import client as nova_client

WAIT_S = 90
USER, PASSWORD, TENANT = (os.environ['OS_' + name] for name in ('USERNAME', 'PASSWORD', 'TENANT_NAME'))


def say(step, **what):
    print(json.dumps(dict(step=step, **what)))


def until(wanted, ask):
    end = time.time() + WAIT_S
    while True:
        answer = ask()
        if answer == wanted or time.time() > end:
            return answer
        time.sleep(0.2)


def gone(get, id):
    try:
        get(id)
    except Exception as error:
        return error.code == 404
    return False


keystone = keystone_client.Client(
    username=USER, password=PASSWORD, tenant_name=TENANT, auth_url=os.environ['OS_AUTH_URL'])
token, tenant = keystone.auth_token, keystone.auth_tenant_id


def url_for(service):
    return keystone.service_catalog.url_for(service_type=service, endpoint_type='publicURL')


def cinderclient():
    c = cinder_client.Client(USER, token, project_id=tenant, auth_url=url_for('volume'), insecure=False)
    c.client.auth_token = token
    c.client.management_url = url_for('volume')
    return c


def novaclient():
    c = nova_client.Client(USER, token, project_id=tenant, auth_url=url_for('compute'))
    c.client.auth_token = token
    c.client.management_url = url_for('compute')
    return c


cinder, nova = cinderclient(), novaclient()
server = [s for s in nova.servers.list() if s.name == os.environ['SERVER']][0]

volume = cinder.volumes.create(1, display_name='page', display_description='made on a page', snapshot_id=None)
say('create', status=volume.status, name=volume.display_name)
say('made', status=until('available', lambda: cinder.volumes.get(volume.id).status))
say('list', names=[v.display_name for v in cinder.volumes.list(search_opts=None)],
    types=[v.volume_type for v in cinder.volumes.list(search_opts=None)])
attached = nova.volumes.create_server_volume(server.id, volume.id, '/dev/vdc')
say('attach', device=attached.device, status=until('in-use', lambda: cinder.volumes.get(volume.id).status))
shown = cinder.volumes.get(volume.id).attachments
say('attachments', of_server=[a['server_id'] == server.id for a in shown], devices=[a['device'] for a in shown])
say('of server', ids=[v.id == volume.id for v in nova.volumes.get_server_volumes(server.id)])
nova.volumes.delete_server_volume(server.id, attached.id)
say('detach', status=until('available', lambda: cinder.volumes.get(volume.id).status))
snapshot = cinder.volume_snapshots.create(volume.id, display_name='kept', display_description='as it was')
say('snapshot', status=until('available', lambda: cinder.volume_snapshots.get(snapshot.id).status),
    names=[s.display_name for s in cinder.volume_snapshots.list()])
copy = cinder.volumes.create(1, display_name='copy', display_description='', snapshot_id=snapshot.id)
say('copy', status=until('available', lambda: cinder.volumes.get(copy.id).status), of=copy.snapshot_id == snapshot.id)
cinder.volumes.delete(copy.id)
cinder.volume_snapshots.delete(snapshot.id)
say('deleted', copy=until(True, lambda: gone(cinder.volumes.get, copy.id)),
    snapshot=until(True, lambda: gone(cinder.volume_snapshots.get, snapshot.id)))
cinder.volumes.delete(volume.id)
say('emptied', volumes=until(0, lambda: len(cinder.volumes.list())))

# Project settings, EC2 credentials: what goes into the archive that a user downloads.
certificate, root = nova.certs.create(), nova.certs.get()
pair = keystone.ec2.create(keystone.auth_user_id, tenant)
say('credentials', tenants=[key.tenant_id == tenant for key in keystone.ec2.list(keystone.auth_user_id)])
folder = os.environ['FOLDER']
for name, text in (('pk.pem', certificate.private_key), ('cert.pem', certificate.data), ('cacert.pem', root.data)):
    with open(os.path.join(folder, name), 'w') as file:
        file.write(text)
with open(os.path.join(folder, 'ec2rc.sh'), 'w') as file:
    for name, text in (('EC2_ACCESS_KEY', pair.access), ('EC2_SECRET_KEY', pair.secret), ('EC2_URL', url_for('ec2'))):
        file.write('export %s=%s\n' % (name, text))
    for name, text in (('EC2_PRIVATE_KEY', 'pk.pem'), ('EC2_CERT', 'cert.pem'), ('NOVA_CERT', 'cacert.pem')):
        file.write('export %s=%s\n' % (name, os.path.join(folder, text)))
