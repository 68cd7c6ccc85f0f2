import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.ts';
import { Mutex } from '../../../src/base/mutex.ts';
import type { BlockSink, PartitionKernel, TurnOutput } from '../../../src/model/doors.ts';
import { type DriveOptions, drive } from '../../../src/runtime/drive.ts';
import type { Lease } from '../../../src/runtime/lease.ts';
import { MemoryFactSink } from '../../support/memory-sink.ts';

const output = (position: bigint): TurnOutput => ({
  ...{ blocks: [], facts: [], deadLetters: [], status: 'done', position, needsTicks: false },
});

/** A log without news, a sink that takes each output only when it is told to. */
function scene() {
  const given: bigint[] = [];
  const gates: (() => void)[] = [];
  const blocks: BlockSink = {
    insert: async (_partition, _blocks, position) => {
      await new Promise<void>((take) => gates.push(take));
      given.push(position);
    },
    flushed: async () => {},
  };
  const boundary = new Mutex();
  const options = {
    partition: 0,
    kernel: { position: 9n } as PartitionKernel,
    lease: { check: () => {}, paused: false } as unknown as Lease,
    reader: { read: async function* () {} },
    facts: new MemoryFactSink(),
    clock: systemClock,
    planText: '',
    backlog: [output(7n), output(8n), output(9n)],
    onTurn: () => {},
    ...{ blocks, boundary },
  } as unknown as DriveOptions;
  const takeAll = async () => {
    for (let turn = 0; turn < 100 && given.length < 3; turn += 1) {
      gates.shift()?.();
      await new Promise(setImmediate);
    }
  };
  return { options, boundary, given, takeAll };
}

describe('what a standby brought along', () => {
  it('is with the sinks before a checkpoint can be captured', async () => {
    const { options, boundary, given, takeAll } = scene();
    const driven = drive(options, new AbortController().signal);
    const captured = boundary.run(() => [...given]);
    await takeAll();
    expect(await captured).to.deep.equal([7n, 8n, 9n]);
    await driven;
  });

  it('is given on whole when the partition is stopped or handed over meanwhile', async () => {
    const { options, given, takeAll } = scene();
    const ending = new AbortController();
    const driven = drive(options, ending.signal);
    ending.abort();
    await takeAll();
    await driven;
    expect(given).to.deep.equal([7n, 8n, 9n]);
  });

  it('leaves a pause without trouble when the partition is handed over meanwhile', async () => {
    const { options } = scene();
    const ending = new AbortController();
    const lease = { check: () => {}, paused: true } as unknown as Lease;
    const reader = {
      read: async function* () {
        yield {};
      },
    } as unknown as DriveOptions['reader'];
    const driven = drive({ ...options, lease, reader, backlog: [] }, ending.signal);
    setImmediate(() => ending.abort());
    await driven;
  });
});
