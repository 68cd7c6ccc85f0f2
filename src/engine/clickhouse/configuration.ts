/**
 * The two files chDB is started with: memory caps, folders, and the restricted
 * default user. In: limits. Out: XML text. Invariant: without the role `millrace_admin` the user
 * can only SELECT, SHOW and read dictionaries; connections of the read-only user drop that role.
 */
export const ADMIN_ROLE = 'millrace_admin';

export interface ConfigurationOptions {
  /** Cap on what the engine may allocate, in bytes. */
  readonly memoryBytesMax: number;
  /** Folder that relative paths of `file()` start from. */
  readonly userFilesPath: string;
  readonly temporaryPath: string;
  readonly usersFile: string;
}

/** Caches take at most this share of the cap: they default to most of a machine. */
const CACHE_SHARE = 1 / 8;
/**
 * A SELECT gets a thread for so much of the memory that is free. ClickHouse's own default is 1 GiB:
 * within the cap of a guest every question would run on one core, however many there are.
 */
const THREAD_BYTES = 256 * 1024 ** 2;
/** Merge threads: this is a guest on the machine of the pipeline. */
const BACKGROUND_POOL = 4;

export function configXml(options: ConfigurationOptions): string {
  const cache = Math.floor(options.memoryBytesMax * CACHE_SHARE);
  return `<clickhouse>
  <display_name>millrace</display_name>
  <timezone>UTC</timezone>
  <users_config>${xml(options.usersFile)}</users_config>
  <user_files_path>${xml(withSlash(options.userFilesPath))}</user_files_path>
  <tmp_path>${xml(withSlash(options.temporaryPath))}</tmp_path>
  <max_server_memory_usage>${options.memoryBytesMax}</max_server_memory_usage>
  <mark_cache_size>${cache}</mark_cache_size>
  <primary_index_cache_size>${cache}</primary_index_cache_size>
  <index_mark_cache_size>${cache}</index_mark_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <mmap_cache_size>100</mmap_cache_size>
  <background_pool_size>${BACKGROUND_POOL}</background_pool_size>
  <background_schedule_pool_size>${BACKGROUND_POOL}</background_schedule_pool_size>
</clickhouse>
`;
}

const settingXml = (name: string, value: number): string => `<${name}>${value}</${name}>`;

export function usersXml(): string {
  return `<clickhouse>
  <profiles>
    <default>${settingXml('max_threads_min_free_memory_per_thread', THREAD_BYTES)}</default>
  </profiles>
  <quotas><default></default></quotas>
  <roles>
    <${ADMIN_ROLE}>
      <grants><query>GRANT ALL ON *.* WITH GRANT OPTION</query></grants>
    </${ADMIN_ROLE}>
  </roles>
  <users>
    <default>
      <password></password>
      <networks><ip>::/0</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <grants>
        <query>GRANT SELECT, SHOW, dictGet ON *.*</query>
        <query>GRANT ${ADMIN_ROLE}</query>
      </grants>
    </default>
  </users>
</clickhouse>
`;
}

function xml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function withSlash(path: string): string {
  return path.endsWith('/') ? path : `${path}/`;
}
