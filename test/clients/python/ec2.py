"""What somebody with boto 2.9 does with EC2 and its S3, step by step; prints one JSON object a line."""
import json
import os
import sys
import time
from urlparse import urlparse

import boto
from boto.ec2.regioninfo import RegionInfo
from boto.exception import EC2ResponseError
from boto.s3.connection import OrdinaryCallingFormat, S3Connection

ACCESS, SECRET = os.environ['EC2_ACCESS_KEY'], os.environ['EC2_SECRET_KEY']
URL = urlparse(os.environ['EC2_URL'])
S3_HOST, S3_PORT = os.environ['S3_ADDRESS'].split(':')
WAIT_S = 90


def connect(secret=SECRET):
    region = RegionInfo(None, 'nova', URL.hostname)
    return boto.connect_ec2(ACCESS, secret, is_secure=False, region=region, port=URL.port, path=URL.path)


def say(step, **what):
    print(json.dumps(dict(step=step, **what)))
    sys.stdout.flush()


def until(wanted, ask):
    """Asks until the answer is the wanted one; what it was at last."""
    end = time.time() + WAIT_S
    while True:
        answer = ask()
        if answer == wanted or time.time() > end:
            return answer
        # Signed in the same second, two equal requests would have one signature.
        time.sleep(1.1)


def refused(call):
    try:
        call()
    except EC2ResponseError as error:
        return [error.status, error.error_code, error.error_message]
    return None


def instances(conn, ids=None):
    return [i for r in conn.get_all_instances(ids) for i in r.instances]


def state(conn, id):
    found = instances(conn, [id])
    return found[0].state if found else 'gone'


def volume_status(conn, id):
    return conn.get_all_volumes([id])[0].status


def run(conn, image):
    key = conn.create_key_pair('flow')
    say('key', name=key.name, material=key.material[:31], all=[k.name for k in conn.get_all_key_pairs()])

    group = conn.create_security_group('web', 'web servers')
    by_cidr = conn.authorize_security_group('web', ip_protocol='tcp', from_port=80, to_port=80, cidr_ip='10.1.0.0/16')
    owner = conn.get_all_security_groups(['web'])[0].owner_id
    by_user = conn.authorize_security_group(
        'web', src_security_group_name='default', src_security_group_owner_id=owner)
    web = conn.get_all_security_groups(['web'])[0]
    say('groups', name=group.name, by_cidr=by_cidr, by_user=by_user, rules=sorted(
        [rule.ip_protocol, rule.from_port, rule.to_port, grant.cidr_ip, grant.name]
        for rule in web.rules for grant in rule.grants))
    revoked = conn.revoke_security_group(
        'web', ip_protocol='tcp', from_port=80, to_port=80, cidr_ip='10.1.0.0/16')
    say('revoked', answer=revoked, rules=len(conn.get_all_security_groups(['web'])[0].rules))

    reservation = conn.run_instances(image, key_name='flow', instance_type='m1.tiny', security_groups=['web'],
                                     user_data='#!/bin/sh')
    instance = reservation.instances[0].id
    say('run', reservation=reservation.id, instance=instance, state=until('running', lambda: state(conn, instance)))
    [whole] = conn.get_all_instances([instance])
    [shown] = whole.instances
    say('describe', image=shown.image_id, type=shown.instance_type, key=shown.key_name, address=shown.private_ip_address,
        groups=[group.id for group in whole.groups], root=shown.root_device_type, zone=shown.placement)
    say('console', output=bool(conn.get_console_output(instance).output))

    address = conn.allocate_address()
    associated = conn.associate_address(instance, address.public_ip)
    say('address', associated=associated, instance=until(
        True, lambda: (conn.get_all_addresses([address.public_ip])[0].instance_id or '').startswith(instance)))
    say('address back', disassociated=conn.disassociate_address(address.public_ip), released=address.release(),
        left=len(conn.get_all_addresses()))

    volumes(conn, instance)

    conn.stop_instances([instance])
    say('stop', state=until('stopped', lambda: state(conn, instance)))
    conn.start_instances([instance])
    say('start', state=until('running', lambda: state(conn, instance)))
    say('reboot', answer=conn.reboot_instances([instance]), state=until('running', lambda: state(conn, instance)))
    conn.terminate_instances([instance])
    say('terminate', gone=until(True, lambda: state(conn, instance) in ('gone', 'terminated')))
    until(True, lambda: refused(lambda: conn.delete_security_group('web')) is None)
    conn.delete_key_pair('flow')
    say('left', groups=[g.name for g in conn.get_all_security_groups()], keys=len(conn.get_all_key_pairs()))


def volumes(conn, instance):
    volume = conn.create_volume(1, 'nova')
    say('volume', id=volume.id, status=until('available', lambda: volume_status(conn, volume.id)))
    attached = conn.attach_volume(volume.id, instance, '/dev/vdc')
    say('attach', answer=str(attached), status=until('in-use', lambda: volume_status(conn, volume.id)))
    data = conn.get_all_volumes([volume.id])[0].attach_data
    say('attachment', instance=data.instance_id, device=data.device, status=data.status)
    say('mapping', devices=sorted(instances(conn, [instance])[0].block_device_mapping or []))
    say('busy', answer=refused(lambda: conn.delete_volume(volume.id)))
    conn.detach_volume(volume.id, instance)
    say('detach', status=until('available', lambda: volume_status(conn, volume.id)))
    snapshot = conn.create_snapshot(volume.id, 'a copy')
    say('snapshot', id=snapshot.id, status=until(
        'available', lambda: conn.get_all_snapshots([snapshot.id])[0].status))
    copy = conn.create_volume(1, 'nova', snapshot=snapshot.id)
    say('copy', snapshot=copy.snapshot_id == snapshot.id,
        status=until('available', lambda: volume_status(conn, copy.id)))
    conn.delete_volume(copy.id)
    until(1, lambda: len(conn.get_all_volumes()))
    conn.delete_snapshot(snapshot.id)
    until(0, lambda: len(conn.get_all_snapshots()))
    conn.delete_volume(volume.id)
    say('deleted', volumes=until(0, lambda: len(conn.get_all_volumes())))


def bundle(conn):
    """The bundle is in a folder; it is put into a bucket and registered."""
    folder = os.environ['BUNDLE']
    s3 = S3Connection(ACCESS, SECRET, is_secure=False, host=S3_HOST, port=int(S3_PORT),
                      calling_format=OrdinaryCallingFormat())
    bucket = s3.create_bucket('flow')
    for name in sorted(os.listdir(folder)):
        bucket.new_key(name).set_contents_from_filename(os.path.join(folder, name))
    keys = sorted(key.name for key in bucket.list())
    text = bucket.get_key('image.manifest.xml').get_contents_as_string()
    say('bucket', buckets=[b.name for b in s3.get_all_buckets()], keys=keys, text=text[:5])
    image = conn.register_image(image_location='flow/image.manifest.xml', name='bundled')
    say('register', image=image, state=until('available', lambda: conn.get_all_images([image])[0].state))
    shown = conn.get_all_images([image])[0]
    say('image', name=shown.name, location=shown.location, type=shown.type)
    conn.deregister_image(image)
    for name in keys:
        bucket.delete_key(name)
    s3.delete_bucket('flow')
    say('emptied', buckets=len(s3.get_all_buckets()))


def main():
    conn = connect()
    say('regions', names=[region.name for region in conn.get_all_regions()],
        zones=[zone.name for zone in conn.get_all_zones()])
    images = conn.get_all_images()
    say('images', names=[image.name for image in images], types=[image.type for image in images])
    say('wrong signature', answer=refused(lambda: connect('not-the-secret').get_all_instances()))
    say('nobody', answer=refused(lambda: instances(conn, ['i-00ffffff'])))
    run(conn, images[0].id)
    bundle(conn)


main()
