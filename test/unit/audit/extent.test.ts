/** What of a log can be verified: a table of logs, records and questions. */
import { expect } from 'chai';
import { type Extent, type ExtentRequest, findExtent } from '../../../src/audit/extent.ts';
import type { OwnershipRecord } from '../../../src/model/doors.ts';
import { SEMANTICS_VERSION } from '../../../src/model/limit.ts';
import { NEW_RECORD } from '../../../src/runtime/lease.ts';
import { MemoryLog } from '../../support/memory-log.ts';
import { MemoryOwnership } from '../../support/memory-ownership.ts';
import { MemoryStateStore } from '../../support/memory-state.ts';

const PARTITION = 0;

class Fixture {
  readonly reader = new MemoryLog({ partitions: 1 });
  readonly stateStore = new MemoryStateStore();
  readonly ownership = new MemoryOwnership();

  async append(count: number, text = 'x'): Promise<void> {
    for (let index = 0; index < count; index += 1) {
      this.reader.advanceMs(10);
      const body = Buffer.from(`${text}${index}`);
      await this.reader.append({ kind: 'batch', partition: PARTITION, body });
    }
  }

  /** A checkpoint at `position`, which identities of `identities` precede. */
  checkpoint(position: bigint, ...identities: bigint[]): Promise<void> {
    return this.save(position, identities, {});
  }

  async save(position: bigint, identities: bigint[], more: Partial<OwnershipRecord>) {
    const of = async (sequence: bigint) => {
      const found = (await this.reader.identity(PARTITION, sequence))!;
      return { sequence: `${sequence}`, logTimeNs: `${found.logTimeNs}`, hash: found.hash };
    };
    const record: OwnershipRecord = {
      ...NEW_RECORD,
      ...{
        owner: 'a:b',
        nonce: `${position}/${more.cut}`,
        semanticsVersion: SEMANTICS_VERSION,
        epoch: 1,
      },
      position: `${position}`,
      identity: await of(position),
      identities: await Promise.all(identities.map(of)),
      objects: [`state.${position}`],
      rootHash: 'abc',
      ...more,
    };
    const revision = (await this.ownership.load(PARTITION))?.revision ?? 0n;
    await this.ownership.save(PARTITION, record, revision);
  }

  find(request: Omit<ExtentRequest, 'partition'>): Promise<Extent> {
    return findExtent(this, { partition: PARTITION, ...request });
  }
}

const told = ({ start, from, to, checkpoints, unverifiable }: Extent) => ({
  start: start.position,
  stretch: [from, to],
  states: checkpoints.map(({ position }) => position),
  lost: unverifiable.map((range) => [range.from, range.to]),
});

describe('extent of an audit', () => {
  let fixture: Fixture;
  beforeEach(async () => {
    fixture = new Fixture();
    await fixture.append(100);
    await fixture.checkpoint(80n, 20n, 50n);
  });

  it('is the whole log up to what can be seen', async () => {
    expect(told(await fixture.find({ visible: 90n }))).to.deep.equal({
      ...{ start: '0', stretch: [1n, 90n], states: ['80'], lost: [] },
    });
  });

  it('begins at the checkpoint when only what lies behind is asked for', async () => {
    expect(told(await fixture.find({ visible: 100n, from: 81n }))).to.deep.equal({
      ...{ start: '80', stretch: [81n, 100n], states: [], lost: [] },
    });
    expect(told(await fixture.find({ visible: 100n, from: 80n, to: 85n }))).to.deep.equal({
      ...{ start: '0', stretch: [80n, 85n], states: ['80'], lost: [] },
    });
  });

  it('says what was purged', async () => {
    await fixture.reader.purge(PARTITION, 60n);
    expect(told(await fixture.find({ visible: 100n }))).to.deep.equal({
      ...{ start: '80', stretch: [81n, 100n], states: [], lost: [[1n, 80n]] },
    });
    await fixture.reader.purge(PARTITION, 90n);
    const error = await fixture.find({ visible: 100n }).catch((cause: unknown) => cause);
    expect(error).to.include({ code: 'LOG_PURGED' });
  });

  it('says what the log ends before', async () => {
    fixture.reader.loseTail(PARTITION, 85n);
    expect(told(await fixture.find({ visible: 100n }))).to.deep.equal({
      ...{ start: '0', stretch: [1n, 85n], states: ['80'], lost: [[86n, 100n]] },
    });
  });

  it('believes a log that lost its tail and grew again as far as identities reach', async () => {
    fixture.reader.loseTail(PARTITION, 60n);
    await fixture.append(60, 'other');
    expect(told(await fixture.find({ visible: 95n }))).to.deep.equal({
      ...{ start: '0', stretch: [1n, 50n], states: [], lost: [[51n, 95n]] },
    });
    // What is asked for lies before the loss.
    expect(told(await fixture.find({ visible: 95n, to: 30n })).lost).to.deep.equal([]);
  });

  it('knows where within it the generation began, and what was in force before', async () => {
    const cutAt40 = { generation: 2, stateGeneration: 2, cut: '40' };
    await fixture.save(80n, [20n, 50n], cutAt40);
    const whole = await fixture.find({ visible: 90n });
    expect([whole.cut, whole.start.generation]).to.deep.equal([40n, 1]);
    const behind = await fixture.find({ visible: 90n, from: 81n });
    expect([behind.cut, behind.start.generation]).to.deep.equal([null, 2]);
    await fixture.save(80n, [20n, 50n], { ...cutAt40, cut: '0' });
    const anew = await fixture.find({ visible: 90n });
    expect([anew.cut, anew.start.generation]).to.deep.equal([null, 2]);
  });

  it('refuses what nothing was computed of', async () => {
    const empty = new Fixture();
    const error = await empty.find({ visible: 0n }).catch((cause: unknown) => cause);
    expect(error).to.include({ code: 'INPUT_INVALID' });
  });
});
