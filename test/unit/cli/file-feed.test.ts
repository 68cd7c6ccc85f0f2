import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.ts';
import {
  bootIdOf,
  deviceName,
  type FeedOptions,
  feedFile,
} from '../../../src/cli/use/file-feed.ts';
import type { Ingest } from '../../../src/model/doors.ts';
import { type ErrorCode, OperatingError } from '../../../src/model/error.ts';
import type { DeviceRecord } from '../../../src/model/record.ts';

/** A door that keeps what it admitted, and fails as told by (payload, try). */
function doorOf(failWith: (payload: string, tries: number) => ErrorCode | 'never' | null) {
  const admitted: DeviceRecord[] = [];
  const tries = new Map<string, number>();
  const ingest: Ingest = {
    counts: { accepted: 0, refused: {} },
    stop: async () => {},
    async admit(record) {
      await new Promise(setImmediate);
      const payload = Buffer.from(record.payload).toString();
      const count = (tries.get(payload) ?? 0) + 1;
      tries.set(payload, count);
      const code = failWith(payload, count);
      if (code === 'never') return new Promise(() => {});
      if (code) throw new OperatingError(code, `${code} for ${payload}`);
      admitted.push(record);
      return { partition: 3, sequence: BigInt(admitted.length), index: 0 };
    },
  };
  return { ingest, admitted };
}

describe('a file on its way into the log', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-feed-'));
    file = join(folder, 'Motor 7.csv');
    writeFileSync(file, 'who,v\na,1\nb,2\na,3\nb,4\na,5\n');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const options = (more: Partial<FeedOptions> = {}): FeedOptions => ({
    file,
    log: 'main',
    channel: 'c',
    tenant: 't',
    site: 's',
    device: 'd',
    deviceColumn: null,
    idColumn: null,
    columns: null,
    rowsPerSecond: null,
    restart: false,
    folder: join(folder, 'ingest'),
    ...more,
  });
  const feed = (door: { ingest: Ingest }, more: Partial<FeedOptions> = {}, stop = Infinity) => {
    const ending = new AbortController();
    const cut = new AbortController();
    const told: string[] = [];
    const clock = { ...systemClock, nowMs: () => 5 };
    let sent = 0;
    const ingest: Ingest = {
      ...door.ingest,
      admit(record) {
        sent += 1;
        if (sent === stop) {
          ending.abort();
          setTimeout(() => cut.abort(), 20);
        }
        return door.ingest.admit(record);
      },
    };
    const context = {
      ingest,
      clock,
      ending: ending.signal,
      cut: cut.signal,
      onTrouble: ({ code }: OperatingError) => void told.push(code),
      onProgress: () => {},
    };
    return feedFile(options(more), context).then((result) => ({ ...result, told }));
  };

  it('keys rows by file name and row number', async () => {
    const door = doorOf(() => null);
    const result = await feed(door);
    expect(result).to.include({ rows: 5, already: 0, acknowledged: 5, refused: 0 });
    expect(door.admitted.map(({ key }) => key)).to.deep.equal(
      [1n, 2n, 3n, 4n, 5n].map((sequence) => ({ bootId: bootIdOf('c', 'Motor 7.csv'), sequence })),
    );
    expect(door.admitted[0]).to.deep.include({
      identity: { tenant: 't', site: 's', device: 'd' },
      channel: 'c',
      receivedAtMs: 5,
    });
    expect([...result.positions]).to.deep.equal([[3, { first: 1n, last: 5n }]]);
  });

  it('counts the rows of each device when a column names it, also from the middle on', async () => {
    const by = { device: null, deviceColumn: 'who' };
    const first = doorOf(() => null);
    await feed(first, by, 3);
    const second = doorOf(() => null);
    const result = await feed(second, by);
    expect(result.already).to.equal(3);
    const keys = [...first.admitted, ...second.admitted].map(({ identity, key }) => [
      identity.device,
      key && 'sequence' in key ? key.sequence : null,
    ]);
    expect(keys).to.deep.equal([
      ['a', 1n],
      ['b', 1n],
      ['a', 2n],
      ['b', 2n],
      ['a', 3n],
    ]);
  });

  it('takes the id of a row for its key', async () => {
    const door = doorOf(() => null);
    await feed(door, { idColumn: 'v' });
    expect(door.admitted[4]?.key).to.deep.equal({ eventId: '5' });
  });

  it('sends nothing twice, unless told to start again', async () => {
    await feed(doorOf(() => null));
    const again = doorOf(() => null);
    expect(await feed(again)).to.include({ rows: 5, already: 5, acknowledged: 0 });
    expect(again.admitted).to.have.length(0);
    expect(await feed(again, { restart: true })).to.include({ already: 0, acknowledged: 5 });
  });

  it('goes on from the last row before the first that is not answered', async () => {
    const cutOff = doorOf((payload) => (payload.includes('"v":3') ? 'never' : null));
    const first = await feed(cutOff, {}, 5);
    expect(first.acknowledged).to.equal(4);
    const rest = doorOf(() => null);
    expect(await feed(rest)).to.include({ already: 2, acknowledged: 3 });
  });

  it('counts a refused row with its reason, and goes on', async () => {
    const door = doorOf((payload) => (payload.includes('"v":2') ? 'IDENTITY_INVALID' : null));
    const result = await feed(door);
    expect(result).to.include({ acknowledged: 4, refused: 1 });
    expect(result.refusals).to.deep.equal([
      {
        row: 2,
        code: 'IDENTITY_INVALID',
        message: 'IDENTITY_INVALID for {"who":"b","v":2}',
      },
    ]);
    expect(await feed(doorOf(() => null))).to.include({ already: 5, acknowledged: 0 });
  });

  it('sends a row again until a full log takes it, and says so once', async () => {
    const door = doorOf((_, tries) => (tries < 3 ? 'LOG_FULL' : null));
    const result = await feed(door);
    expect(result).to.include({ acknowledged: 5, refused: 0 });
    expect(new Set(result.told)).to.deep.equal(new Set(['LOG_FULL']));
  });

  it('ends with what cannot pass, and keeps what was acknowledged', async () => {
    const door = doorOf((payload) => (payload.includes('"v":4') ? 'STREAM_UNSAFE' : null));
    const error = await feed(door).catch((thrown: unknown) => thrown);
    expect(error).to.include({ code: 'STREAM_UNSAFE' });
    expect((await feed(doorOf(() => null))).already).to.equal(3);
  });
});

const NAMES: readonly [file: string, device: string][] = [
  ['/x/machine_temperature.csv', 'machine_temperature'],
  ['Motor 7 (neu).csv', 'Motor-7-neu'],
  [`${'x'.repeat(80)}.ndjson`, 'x'.repeat(64)],
  ['ä.csv', 'file'],
];

describe('the device of a file', () => {
  for (const [file, device] of NAMES) {
    it(`${file} is ${device}`, () => expect(deviceName(file)).to.equal(device));
  }
});
