import { glanceTables } from './glance-tables.ts';
import type { Schema } from './table.ts';

export const glanceSchema: Schema = {
  repositoryId: 'Glance Migrations',
  version: 15,
  oldestVersion: 15,
  tables: glanceTables,
  seed: [],
  upgrades: [],
  extraTables: [],
  extraIndexes: {
    images: {
      folsom_images_deleted_public_created: ['deleted', 'is_public', 'created_at', 'id'],
      folsom_images_owner_deleted_created: ['owner', 'deleted', 'created_at', 'id'],
      folsom_images_name_deleted: ['name', 'deleted'],
      folsom_images_status_deleted: ['status', 'deleted'],
      folsom_images_disk_format: ['disk_format', 'deleted'],
      folsom_images_container_format: ['container_format', 'deleted'],
      folsom_images_checksum: ['checksum'],
      folsom_images_created_id: ['created_at', 'id'],
      folsom_images_updated_id: ['updated_at', 'id'],
      folsom_images_size: ['size', 'id'],
    },
    image_members: { folsom_image_members_member: ['member', 'deleted', 'image_id'] },
    image_properties: { folsom_image_properties_name: ['name', 'deleted', 'image_id'] },
    image_tags: { folsom_image_tags_value: ['value', 'deleted', 'image_id'] },
  },
  syncCommand: 'glance-manage db_sync',
};
