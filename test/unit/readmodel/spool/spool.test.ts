import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { symlink, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { isOperatingError } from '../../../../src/model/error.ts';
import type { Batch } from '../../../../src/readmodel/batch.ts';
import { encodeRecord } from '../../../../src/readmodel/spool/record.ts';
import { openSpool, type Spool } from '../../../../src/readmodel/spool/spool.ts';

const PLENTY_BYTES = 1024 ** 2;

describe('the insert spool', () => {
  let folder: string;
  const opened: Spool[] = [];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-spool-'));
  });
  afterEach(async () => {
    for (const spool of opened.splice(0)) await spool.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const openAt = async (bytesMax = PLENTY_BYTES): Promise<Spool> => {
    const spool = await openSpool({ folder, bytesMax });
    opened.push(spool);
    return spool;
  };
  const reopen = async (bytesMax = PLENTY_BYTES): Promise<Spool> => {
    for (const spool of opened.splice(0)) await spool.close();
    return openAt(bytesMax);
  };
  const segments = (): string[] =>
    readdirSync(folder)
      .filter((name) => name.endsWith('.segment'))
      .sort();
  const damage = (name: string, at: number): void => {
    const bytes = readFileSync(join(folder, name));
    bytes[at] ^= 0xff;
    writeFileSync(join(folder, name), bytes);
  };
  const failureOf = (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => 'no failure',
      (error: unknown) => error,
    );

  it('gives batches back as they were, the oldest first, also when opened again', async () => {
    const spool = await openAt();
    const batches = [1, 2, 3].map((n) => batchOf(n));
    for (const batch of batches) expect(await spool.append(batch)).to.equal(true);
    expect(await spool.first()).to.deep.equal(batches[0]);
    await spool.advance();
    const again = await reopen();
    expect(again.records).to.equal(2);
    expect(again.reaches()).to.deep.equal(batches.slice(1).map(({ reaches }) => reaches));
    for (const batch of batches.slice(1)) {
      expect(await again.first()).to.deep.equal(batch);
      await again.advance();
    }
    expect([again.records, again.bytes]).to.deep.equal([0, 0]);
    expect(segments()).to.deep.equal([]);
  });

  it('keeps a batch of no rows and unknown beginning', async () => {
    const spool = await openAt();
    const batch = { tables: new Map(), reaches: new Map([[7, { after: null, position: 5n }]]) };
    await spool.append(batch);
    expect(await (await reopen()).first()).to.deep.equal(batch);
  });

  describe('is bounded', () => {
    const bytes = encodeRecord(batchOf(1), 1n).length;
    for (const [room, taken] of [
      [bytes - 1, 0],
      [bytes, 1],
      [2 * bytes - 1, 1],
      [2 * bytes, 2],
    ] as const) {
      it(`takes ${taken} batches of ${bytes} bytes into ${room}`, async () => {
        const spool = await openAt(room);
        const answers = [await spool.append(batchOf(1)), await spool.append(batchOf(1))];
        expect(answers).to.deep.equal([taken > 0, taken > 1]);
        expect(spool.bytes).to.equal(taken * bytes);
        const onDisk = segments().map((name) => statSync(join(folder, name)).size);
        expect(onDisk.reduce((sum, size) => sum + size, 0)).to.equal(taken * bytes);
      });
    }

    it('gives room back as batches are stored, and takes new ones into it', async () => {
      const spool = await openAt(4 * bytes);
      for (let n = 0; n < 4; n += 1) expect(await spool.append(batchOf(1))).to.equal(true);
      expect(await spool.append(batchOf(1))).to.equal(false);
      await spool.advance();
      expect(await spool.append(batchOf(1))).to.equal(true);
      expect(await spool.append(batchOf(1))).to.equal(false);
      expect((await reopen(4 * bytes)).records).to.equal(4);
    });

    it('takes nothing in with a bound of 0, but gives what was left there', async () => {
      await (await openAt()).append(batchOf(1));
      const spool = await reopen(0);
      expect(await spool.append(batchOf(2))).to.equal(false);
      expect(await spool.first()).to.deep.equal(batchOf(1));
      await spool.advance();
      expect(segments()).to.deep.equal([]);
    });
  });

  describe('after a crash while it took a batch in', () => {
    const next = encodeRecord(batchOf(2), 2n);
    for (const [what, rest, records] of [
      ['cuts off a few bytes of it', next.subarray(0, 10), 1],
      ['cuts off all but its last byte', next.subarray(0, next.length - 1), 1],
      ['keeps it when it is whole', next, 2],
      ['keeps what is whole of more', Buffer.concat([next, next.subarray(0, 99)]), 2],
    ] as const) {
      it(what, async () => {
        await (await openAt()).append(batchOf(1));
        const [name] = segments();
        writeFileSync(join(folder, name!), rest, { flag: 'a' });
        writeFileSync(join(folder, '0000000002.segment'), 'begun');
        const spool = await reopen();
        expect(spool.records).to.equal(records);
        expect(segments()).to.deep.equal([name]);
        expect(await spool.append(batchOf(3))).to.equal(true);
        const again = await reopen();
        expect(again.records).to.equal(records + 1);
        for (let n = 1; n <= records; n += 1) {
          expect(await again.first()).to.deep.equal(batchOf(n));
          await again.advance();
        }
        expect(await again.first()).to.deep.equal(batchOf(3));
      });
    }
  });

  describe('refuses loudly what it had acknowledged and cannot read', () => {
    beforeEach(async () => {
      const spool = await openAt();
      for (const n of [1, 2, 3]) await spool.append(batchOf(n));
      for (const each of opened.splice(0)) await each.close();
    });
    const corrupt = async (): Promise<string> => {
      const error = await failureOf(openSpool({ folder, bytesMax: PLENTY_BYTES }));
      if (!isOperatingError(error, 'SPOOL_CORRUPT')) throw error;
      return error.message;
    };
    const bytes = encodeRecord(batchOf(1), 1n).length;

    for (const [what, at] of [
      ['the first', 4],
      ['a middle one', bytes + 40],
      ['the last', 3 * bytes - 1],
    ] as const) {
      it(`with one damaged byte in ${what}`, async () => {
        damage(segments()[0]!, at);
        expect(await corrupt()).to.include('it is not what was written');
      });
    }
    it('with a record cut off at its end', async () => {
      await truncate(join(folder, segments()[0]!), 3 * bytes - 1);
      expect(await corrupt()).to.include('record 3');
    });
    it('with a whole record cut off', async () => {
      await truncate(join(folder, segments()[0]!), 2 * bytes);
      expect(await corrupt()).to.include('record 3');
    });
    it('with a segment missing', async () => {
      rmSync(join(folder, segments()[0]!));
      expect(await corrupt()).to.include('its file is missing');
    });
    it('with its cursor missing', async () => {
      rmSync(join(folder, 'cursor'));
      expect(await corrupt()).to.include('cursor cannot be read');
    });
    it('and begins anew once the folder was moved away', async () => {
      damage(segments()[0]!, 4);
      rmSync(folder, { recursive: true });
      expect((await openAt()).records).to.equal(0);
    });
  });

  it('loses no batch when one of the two slots of its cursor is damaged', async () => {
    for (const at of [20, 4096 + 20]) {
      const spool = await openAt();
      for (const n of [1, 2]) await spool.append(batchOf(n));
      await spool.advance();
      for (const each of opened.splice(0)) await each.close();
      damage('cursor', at);
      const again = await openAt();
      const left: number[] = [];
      for (; again.records > 0; await again.advance()) {
        left.push(Number([...(await again.first()).reaches.values()][0]!.after));
      }
      expect(left.slice(-1), `slot at ${at}`).to.deep.equal([2]);
    }
  });

  it('takes nothing in when the disk is full, and goes on when it is not', async () => {
    const spool = await openAt();
    await symlink('/dev/full', join(folder, '0000000001.segment'));
    const error = await failureOf(spool.append(batchOf(1)));
    expect(isOperatingError(error, 'DISK_FULL'), String(error)).to.equal(true);
    expect(spool.records).to.equal(0);
    rmSync(join(folder, '0000000001.segment'));
    const again = await reopen();
    expect(await again.append(batchOf(1))).to.equal(true);
    expect(await (await reopen()).first()).to.deep.equal(batchOf(1));
  });
});

/** All of the same size. */
function batchOf(n: number): Batch {
  const bytes = Buffer.alloc(100, n);
  const blocks = (table: string) => [
    { table, partition: 0, rows: 3, bytes },
    { table, partition: 5, rows: 1, bytes: bytes.subarray(0, 20) },
  ];
  return {
    tables: new Map([
      ['ch_truck', blocks('ch_truck')],
      ['ledger', blocks('ledger')],
    ]),
    reaches: new Map([
      [0, { after: BigInt(n), position: BigInt(n + 1) }],
      [5, { after: null, position: 2n ** 63n + BigInt(n) }],
    ]),
  };
}
