/**
 * The configuration of the embedded nats-server. In: ports, folders, the log's id and partition
 * count, the password. Out: its text. Invariants: everything listens on loopback; what arrives
 * without a password (`guest`) can send telemetry and read results, and cannot write to the log
 * past the mapping, nor change or delete a stream.
 *
 * A native publisher sends to `iot.<tenant>.<site>.<device>.t.<channel>`; the server maps that to
 * `log.<log>.<partition>.iot.…`, which the log's streams take. Permissions are checked on the
 * *mapped* subject, so guest is granted that one.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { assert } from '../../base/assert.ts';

export const LOOPBACK = '127.0.0.1';
export const NATS_USER = 'millrace';
/** 192 bits: not to be guessed, and no quoting is needed anywhere. */
const PASSWORD_BYTES = 24;
/** The server's default, written down: a record batch is at most 64 KiB. */
const PAYLOAD_BYTES_MAX = 1_048_576;
/**
 * Only short-lived consumers live in memory; without a limit the server takes 3/4 of the machine.
 */
const MEMORY_STORE_BYTES_MAX = 268_435_456;
/** The log file is rotated at this size … */
const LOG_FILE_BYTES_MAX = 8_388_608;
/** … and this many are kept. */
const LOG_FILES_MAX = 3;
/** Streams of results that anybody on this machine may read. */
const READABLE_STREAMS = ['FACTS', 'DLQ', 'KV_shadow'];

export interface ServerConfig {
  readonly port: number;
  readonly monitorPort: number;
  readonly websocketPort: number;
  /** Web origins whose pages may connect; none: no page of another origin may. */
  readonly websocketOrigins: readonly string[];
  readonly storeFolder: string;
  readonly pidFile: string;
  readonly logFile: string;
  readonly storeBytesMax: number;
  /** True: each acknowledged message is on the disk (fsync), at a high price. */
  readonly syncAlways: boolean;
  readonly logId: string;
  readonly partitionCount: number;
  readonly password: string;
}

export function serverConfigText(config: ServerConfig): string {
  assert(/^[A-Za-z0-9_-]{1,64}$/.test(config.logId), `log id ${config.logId} is checked before`);
  assert(config.partitionCount >= 1, 'a log has at least one partition');
  return `# Written by Millrace at each start; changes are lost.
server_name: millrace
listen: ${listen(config.port)}
http: ${listen(config.monitorPort)}
pid_file: ${quote(config.pidFile)}
log_file: ${quote(config.logFile)}
logfile_size_limit: ${LOG_FILE_BYTES_MAX}
logfile_max_num: ${LOG_FILES_MAX}
max_payload: ${PAYLOAD_BYTES_MAX}
websocket {
  listen: ${listen(config.websocketPort)}
  no_tls: true
  ${originText(config.websocketOrigins)}
}
jetstream {
  store_dir: ${quote(config.storeFolder)}
  max_memory_store: ${MEMORY_STORE_BYTES_MAX}
  max_file_store: ${config.storeBytesMax}
${config.syncAlways ? '  sync_interval: always\n' : ''}}
no_auth_user: guest
accounts {
  MILLRACE {
    jetstream: enabled
    mappings {
      ${mappingText(config)}
    }
    users: [
      { user: ${NATS_USER}, password: ${quote(config.password)} }
      { user: guest, password: ${quote(createPassword())}, permissions: {
        publish: { allow: [
${listText(guestPublish(config.logId))}
        ] }
        subscribe: { allow: [
${listText(GUEST_SUBSCRIBE)}
        ] }
      } }
    ]
  }
}
`;
}

const GUEST_SUBSCRIBE = ['agg.>', 'alert.>', 'shadow.>', 'dlq.>', '$KV.shadow.>', '_INBOX.>'];

function guestPublish(logId: string): string[] {
  const perStream = READABLE_STREAMS.flatMap((stream) => [
    `$JS.API.CONSUMER.CREATE.${stream}`,
    `$JS.API.CONSUMER.CREATE.${stream}.>`,
    `$JS.API.CONSUMER.INFO.${stream}.*`,
    `$JS.API.CONSUMER.MSG.NEXT.${stream}.*`,
    `$JS.API.CONSUMER.DELETE.${stream}.*`,
    `$JS.API.DIRECT.GET.${stream}`,
    `$JS.API.DIRECT.GET.${stream}.>`,
    `$JS.ACK.${stream}.>`,
    `$JS.FC.${stream}.>`,
  ]);
  return [
    `log.${logId}.*.iot.>`,
    '$JS.API.INFO',
    '$JS.API.STREAM.INFO.*',
    '$JS.API.STREAM.NAMES',
    ...perStream,
    '$SRV.>',
    // Not svc.millrace.admin: who declares channels has the credentials of the data folder.
    'svc.millrace.device.>',
    'svc.millrace.query.>',
  ];
}

function mappingText({ logId, partitionCount }: ServerConfig): string {
  const partition = `{{partition(${partitionCount},1,2,3)}}`;
  const device = '{{wildcard(1)}}.{{wildcard(2)}}.{{wildcard(3)}}';
  return `"iot.*.*.*.t.*": "log.${logId}.${partition}.iot.${device}.t.{{wildcard(4)}}"`;
}

function originText(origins: readonly string[]): string {
  if (origins.length === 0) return 'same_origin: true';
  return `allowed_origins: [${origins.map(quote).join(', ')}]`;
}

const listen = (port: number) => quote(`${LOOPBACK}:${port}`);
const quote = (text: string) => JSON.stringify(text);
const listText = (subjects: readonly string[]) =>
  subjects.map((subject) => `          ${quote(subject)}`).join('\n');

const createPassword = () => randomBytes(PASSWORD_BYTES).toString('base64url');

/** The password of user `millrace`: made at the first start, kept readable by its owner only. */
export function loadPassword(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const password = createPassword();
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${password}\n`, { mode: 0o600, flag: 'wx' });
  return password;
}
