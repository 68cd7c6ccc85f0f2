/**
 * The worked example of assembly/README.md: one device that sent one reading, as its block lies in
 * memory, field by field. `npx tsx test/kernel/dump.ts` prints it; the test beside it compares.
 */
import { createKernel } from '../../src/kernel/index.ts';
import { drive } from './drive.ts';
import { all, LOG, LogWriter, PARTITION, recordOf, START_MS } from './log-writer.ts';
import { channelOf, MINUTE_WINDOW, planOf } from './plan-sample.ts';
import { encodeTelemetry } from './telemetry.ts';

const MEMORY_BYTES = 32 * 1024 * 1024;
const HEAD_BYTES = 16;
const LINE_BYTES = 16;

/** Fields in their order: name and bytes. */
type Part = readonly [title: string, fields: readonly (readonly [name: string, bytes: number])[]];

const words = (...names: string[]) => names.map((name) => [name, 4] as const);
const longs = (...names: string[]) => names.map((name) => [name, 8] as const);

const PARTS: readonly Part[] = [
  [
    'Device',
    [
      ...words('bytes', 'slot', 'partsBytes', 'dirty', 'unfired', 'ringCapacity', 'ringCount'),
      ...words('ringHead', 'contentCapacity', 'contentCount', 'contentHead', 'clockBucket'),
      ...words('letterMinute', 'letterCount', 'bootsBytes, channelCount'),
      ...words('aliasCount, sparkNext', 'identityBytes, bootCount, flags, ringStride'),
      ...words('qualityBytes, zeros'),
      ...longs('clockLeast', 'clockBefore', 'firstSeen', 'lastSeen', 'lastEvent', 'lastShadow'),
      ...longs('records', 'readings', 'rejected', 'duplicates', 'bootFloor', 'idFloor'),
    ],
  ],
  ['identity: t1, s1, d1', [['tenant, site, device, zeros to a multiple of 8', 16]]],
  [
    'Boot, room for one interval',
    [
      ...longs('id', 'floor', 'maxEvent', 'lastSequence'),
      ...words('count', 'capacity'),
      ...longs('low', 'high'),
    ],
  ],
  [
    'Section of the channel',
    [
      ...words('bytes', 'channel, alertCount', 'windows, metrics, score, stands'),
      ...words('unfired, dirty'),
      ...longs('watermark', 'maxEvent', 'lastLog', 'lastLate', 'cadence'),
    ],
  ],
  [
    'WindowState of 1m',
    [
      ...words('length', 'step', 'bytes', 'shape, cells, touched, graves'),
      ...longs('evictedMaxStart', 'firedThrough'),
    ],
  ],
  ['Latest of the metric', longs('bits', 'eventTime')],
  [
    'Cell: young, one sample listed',
    [...longs('start', 'fragment', 'touch'), ...words('revision', 'flags: 1 sample, a list')],
  ],
  [
    'Entry × 2',
    ['', ' free'].flatMap((free) => [
      ...longs(`sequence${free}`),
      ...words('offset', 'present'),
      ...longs('value'),
    ]),
  ],
];

/** The block of the one device after one record of 21.5. */
async function workedBlock(): Promise<Uint8Array> {
  const log = new LogWriter();
  log.plan(planOf([channelOf(0, 'c', { windows: [MINUTE_WINDOW], unknownMetrics: 'reject' })]));
  const readings = [{ metric: 1, number: 21.5 }];
  const payload = encodeTelemetry({ samples: [{ timeMs: START_MS + 1000, readings }] });
  const key = { bootId: 7n, sequence: 1n };
  log.at(START_MS + 1500);
  log.batch([recordOf({ payload, key, receivedAtMs: START_MS + 1200 })]);
  const kernel = await createKernel({ build: 'debug', workers: 0 });
  const options = { log: LOG, partition: PARTITION, generation: 1, memoryBytes: MEMORY_BYTES };
  const partition = kernel.open(options);
  await drive(partition, all(log.messages));
  const chunks = [...partition.exportState('all')];
  partition.exportDone(true);
  await kernel.stop();
  return blockOf(chunks);
}

/** The piece of slot 0 (assembly/state.ts). */
function blockOf(chunks: readonly Uint8Array[]): Uint8Array {
  for (const chunk of chunks) {
    const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let at = HEAD_BYTES;
    for (let pieces = view.getUint32(12, true); pieces > 0; pieces--) {
      const bytes = view.getUint32(at + 12, true);
      if (view.getUint32(at, true) === 0) return chunk.slice(at + 16, at + 16 + bytes);
      at += 16 + ((bytes + 7) & ~7);
    }
  }
  throw new Error('no device in the export');
}

export async function workedExample(): Promise<string> {
  const block = await workedBlock();
  const lines: string[] = [];
  let at = 0;
  for (const [title, fields] of PARTS) {
    lines.push(`     ── ${title}`);
    let names: string[] = [];
    let from = at;
    for (const [name, bytes] of fields) {
      names.push(name);
      at += bytes;
      if (at - from < LINE_BYTES) continue;
      lines.push(line(block, from, at, names));
      names = [];
      from = at;
    }
    if (at > from) lines.push(line(block, from, at, names));
  }
  if (at !== block.length) throw new Error(`${at} bytes described, the block has ${block.length}`);
  return lines.join('\n');
}

function line(block: Uint8Array, from: number, to: number, names: readonly string[]): string {
  const hex = Buffer.from(block.subarray(from, to)).toString('hex');
  const groups = hex.match(/.{1,8}/g)!.join(' ');
  return `${String(from).padStart(4)} ${groups.padEnd(36)} ${names.join(', ')}`;
}

if (process.argv[1]?.endsWith('dump.ts')) console.log(await workedExample());
