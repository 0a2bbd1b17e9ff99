export interface HostService {
  host: string;
  disabled: boolean;
  availability_zone: string;
  created_at: number | null;
  updated_at: number | null;
}

/** A hypervisor's row as scheduling needs it. */
export interface NodeFacts {
  id: number;
  service: HostService;
  vcpus: number;
  vcpus_used: number;
  memory_mb: number;
  free_ram_mb: number;
  local_gb: number;
  local_gb_used: number;
  free_disk_gb: number;
  disk_available_least: number | null;
  updated_at: number | null;
}

export interface VolumeFacts {
  id: string;
  size: number;
  availability_zone: string | null;
}
