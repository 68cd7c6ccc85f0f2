/**
 * A Sparkplug B session in the kernel, message by message: what births bind, what deaths and births
 * forget, what is filtered, what is old news, what `seq` says is missing. The reference agrees with
 * every story.
 */
import { expect } from 'chai';
import { FLAG_HISTORICAL } from '../../../assembly/shared/abi.ts';
import type { Kernel, PartitionKernel } from '../../../src/model/doors.ts';
import type { PlanAlert } from '../../../src/model/plan.ts';
import type { EventKey } from '../../../src/model/record.ts';
import { BUILDS, startKernel } from '../build.ts';
import { difference, drive, lines, Outcome } from '../drive.ts';
import { all } from '../log-writer.ts';
import { MINUTE_WINDOW, metricOf } from '../plan-sample.ts';
import { atS, Story } from '../story.ts';
import { encodeSparkplug } from './sparkplug.ts';

const METRICS = [
  metricOf(0, 'temp', { path: ['temp'] }),
  metricOf(1, 'level', { path: ['level'] }),
  metricOf(2, 'speed', { path: ['pump', 'speed'] }),
  metricOf(3, 'turn', { path: ['fan', 'turn'] }),
];
const SPARKPLUG = { format: 'sparkplug', metrics: METRICS } as const;

/** A metric as a node says it: alias, or name and alias; what is left out is not on the wire. */
interface Said {
  readonly name?: string;
  readonly alias?: number;
  readonly value?: number;
  readonly historical?: boolean;
  readonly atSecond?: number;
}

interface Message {
  readonly seq?: number;
  readonly key?: EventKey;
  /** Event time of the payload; as the log's when it is not given. */
  readonly time?: number;
}

const bind = (name: string, alias: number): Said => ({ name, alias });
const say = (alias: number, value: number): Said => ({ alias, value });

class Session {
  readonly story: Story;

  constructor(story = Story.of(SPARKPLUG)) {
    this.story = story;
  }

  /** One message a second of the log. */
  at(second: number, kind: string, said: readonly Said[], message: Message = {}): this {
    const { seq, key, time = second } = message;
    const raw = encodeSparkplug({
      timestamp: atS(time),
      metrics: said.map(({ name, alias, value, historical, atSecond }) => ({
        ...(name === undefined ? {} : { name }),
        ...(alias === undefined ? {} : { alias }),
        ...(value === undefined ? {} : { datatype: 10, double_value: value }),
        ...(historical === undefined ? {} : { is_historical: historical }),
        ...(atSecond === undefined ? {} : { timestamp: atS(atSecond) }),
      })),
      ...(seq === undefined ? {} : { seq }),
    });
    this.story.send(second, {}, { raw, kind, ...(key === undefined ? {} : { key }) });
    return this;
  }
}

describe('a Sparkplug session', function () {
  this.timeout(60_000);
  let kernel: Kernel;
  before(async () => {
    kernel = await startKernel('debug');
  });
  after(() => kernel.stop());

  /** What each stored sample says, in order: 'second metric=value …'. */
  async function stored({ story }: Session): Promise<string[]> {
    const rows = (await story.play(kernel)).tables.get('ch_c') ?? [];
    return rows.map((row) => {
      const present = METRICS.filter(
        ({ ordinal }) => ((row['presence'] as bigint) >> BigInt(ordinal)) & 1n,
      );
      const values = present.map(({ name }) => `${name}=${row[name]}`);
      return [(Number(row['event_time']) - atS(0)) / 1000, ...values].join(' ');
    });
  }

  /** The ledger's last word. */
  async function ledger(session: Session): Promise<Record<string, unknown>> {
    const { tables } = await session.story.tick(1_000).play(kernel);
    return tables.get('ledger')!.at(-1)!;
  }

  describe('births', () => {
    it('bind aliases anew: what came before them means something else', async () => {
      const session = new Session();
      session.at(0, 'NBIRTH', [bind('temp', 1), bind('level', 2)]).at(1, 'NDATA', [say(1, 5)]);
      session.at(2, 'NBIRTH', [bind('temp', 2), bind('level', 1)]).at(3, 'NDATA', [say(1, 6)]);
      expect(await stored(session)).to.deep.equal(['1 temp=5', '3 level=6']);
    });

    it('may carry values, and data may say more than one metric', async () => {
      const session = new Session();
      session.at(0, 'NBIRTH', [{ name: 'temp', alias: 1, value: 3 }, bind('level', 2)]);
      session.at(1, 'NDATA', [say(2, 7), say(1, 8)]);
      expect(await stored(session)).to.deep.equal(['0 temp=3', '1 temp=8 level=7']);
    });

    it('of a device name its own metrics, and leave the node and other devices alone', async () => {
      const session = new Session();
      session.at(0, 'NBIRTH', [bind('temp', 1)]).at(1, 'DBIRTH/pump', [bind('speed', 1)]);
      session.at(2, 'DBIRTH/fan', [bind('turn', 1)]).at(3, 'DBIRTH/pump', [bind('speed', 9)]);
      session.at(4, 'NDATA', [say(1, 1)]).at(5, 'DDATA/pump', [say(9, 2)]);
      session.at(6, 'DDATA/fan', [say(1, 3)]);
      expect(await stored(session)).to.deep.equal(['4 temp=1', '5 speed=2', '6 turn=3']);
    });

    it('of a device forget what that device had bound', async () => {
      const session = new Session();
      session.at(0, 'DBIRTH/pump', [bind('speed', 1)]).at(1, 'DBIRTH/pump', [bind('speed', 9)]);
      session.at(2, 'DDATA/pump', [say(1, 2)]);
      expect(await session.story.statuses(kernel)).to.deep.equal(['', '', 'ALIAS_UNKNOWN']);
    });

    it('of the node forget what its devices had bound; they are born again after it', async () => {
      const session = new Session();
      session.at(0, 'NBIRTH', [bind('temp', 1)]).at(1, 'DBIRTH/pump', [bind('speed', 2)]);
      session.at(2, 'NBIRTH', [bind('temp', 1)]).at(3, 'DDATA/pump', [say(2, 1)]);
      session.at(4, 'DBIRTH/pump', [bind('speed', 2)]).at(5, 'DDATA/pump', [say(2, 4)]);
      const wanted = ['', '', '', 'ALIAS_UNKNOWN', '', ''];
      expect(await session.story.statuses(kernel)).to.deep.equal(wanted);
      expect(await stored(session)).to.deep.equal(['5 speed=4']);
    });

    it('that come twice under one key bind nothing the second time', async () => {
      const session = new Session();
      const key = { bootId: 1n, sequence: 1n };
      session.at(0, 'NBIRTH', [{ name: 'temp', alias: 1, value: 1 }], { key });
      session.at(1, 'NBIRTH', [bind('temp', 2)]);
      session.at(2, 'NBIRTH', [{ name: 'temp', alias: 1, value: 1 }], { key });
      session.at(3, 'NDATA', [say(1, 5)]).at(4, 'NDATA', [say(2, 6)]);
      expect(await stored(session)).to.deep.equal(['0 temp=1', '4 temp=6']);
      expect(await ledger(session)).to.include({ duplicate: 1n, rejected: 1n });
    });
  });

  describe('deaths', () => {
    for (const [death, forgotten] of [
      ['NDEATH', ['NDATA 1', 'DDATA/pump 2', 'DDATA/fan 3']],
      ['DDEATH/pump', ['DDATA/pump 2']],
      ['DDEATH/fan', ['DDATA/fan 3']],
    ] as const) {
      it(`forget bindings as the birth does: ${death}`, async () => {
        const session = new Session().at(0, 'NBIRTH', [bind('temp', 1)]);
        session.at(1, 'DBIRTH/pump', [bind('speed', 2)]).at(2, 'DBIRTH/fan', [bind('turn', 3)]);
        session.at(3, death, []);
        const data = ['NDATA 1', 'DDATA/pump 2', 'DDATA/fan 3'];
        data.forEach((each, place) => {
          const [kind, alias] = each.split(' ') as [string, string];
          session.at(4 + place, kind, [say(Number(alias), 1)]);
        });
        const statuses = await session.story.statuses(kernel);
        expect(data.filter((_, place) => statuses[4 + place] === 'ALIAS_UNKNOWN')).to.deep.equal(
          forgotten,
        );
      });
    }

    it('are filtered: no letter, no reason, but a record of the device', async () => {
      const session = new Session().at(0, 'NDEATH', [{ name: 'bdSeq', value: 1 }]);
      session.at(1, 'DDEATH/pump', [{ name: 'speed', value: 1 }]);
      const row = await ledger(session);
      expect(row).to.include({ records_in: 2n, filtered: 2n, stored: 0n, readings_decoded: 0n });
      expect(row['reason']).to.deep.equal([]);
      const { deadLetters, tables } = await session.story.play(kernel);
      expect(deadLetters).to.deep.equal([]);
      expect(tables.get('devices')!.at(-1)).to.include({ records: 2n, readings: 0n, rejected: 0n });
    });

    it('under a known key are duplicates, and forget nothing', async () => {
      const session = new Session();
      const key = { eventId: 'a' };
      session.at(0, 'NBIRTH', [{ name: 'temp', alias: 1, value: 1 }], { key });
      session.at(1, 'NDEATH', [], { key }).at(2, 'NDATA', [say(1, 2)]);
      expect(await stored(session)).to.deep.equal(['0 temp=1', '2 temp=2']);
      expect(await ledger(session)).to.include({ duplicate: 1n, filtered: 0n });
    });
  });

  describe('messages without a reading', () => {
    it('are filtered: births of names only, what nobody declared, what has no value', async () => {
      const session = new Session(Story.of({ ...SPARKPLUG, unknownMetrics: 'ignore' }));
      session.at(0, 'NBIRTH', [bind('temp', 1), bind('other', 2)]).at(1, 'NDATA', [say(2, 1)]);
      session
        .at(2, 'NDATA', [])
        .at(3, 'NDATA', [{ alias: 1 }])
        .at(4, 'NDATA', [say(1, 1)]);
      expect(await ledger(session)).to.include({ filtered: 4n, stored: 1n, rejected: 0n });
    });

    it('of undeclared metrics are refused where the plan does not ignore them', async () => {
      const session = new Session();
      session.at(0, 'NBIRTH', [bind('other', 2)]).at(1, 'NDATA', [say(2, 1)]);
      session.at(2, 'NDATA', [say(3, 1)]);
      expect(await session.story.statuses(kernel)).to.deep.equal([
        ...['', 'METRIC_UNKNOWN', 'ALIAS_UNKNOWN'],
      ]);
    });

    it('are never remembered by their key', async () => {
      const session = new Session();
      const key = { eventId: 'a' };
      session.at(0, 'NBIRTH', [bind('temp', 1)], { key });
      session.at(1, 'NDATA', [say(1, 5)], { key }).at(2, 'NDATA', [say(1, 6)], { key });
      expect(await stored(session)).to.deep.equal(['1 temp=5']);
      expect(await ledger(session)).to.include({ filtered: 1n, stored: 1n, duplicate: 1n });
    });
  });

  describe('old news', () => {
    const old = (value: number, atSecond: number): Said => {
      return { name: 'temp', value, historical: true, atSecond };
    };
    const now = (value: number): Said => ({ name: 'temp', value });

    it('has its flag, its row and its window, and is no latest value', async () => {
      const session = new Session(Story.of({ ...SPARKPLUG, windows: [MINUTE_WINDOW] }));
      session.at(10, 'NDATA', [now(1)]).at(20, 'NDATA', [old(9, 15), old(8, 20), now(2)]);
      session.at(21, 'NDATA', [old(7, 21)]).story.tick(22);
      // Its watermark closes the minute.
      const outcome = await session.at(60, 'NDATA', [now(3)]).story.play(kernel);
      const rows = outcome.tables.get('ch_c')!;
      expect(rows.map(({ temp, flags }) => `${temp} ${flags === FLAG_HISTORICAL}`)).to.deep.equal([
        ...['1 false', '9 true', '8 true', '2 false', '7 true', '3 false'],
      ]);
      expect(outcome.tables.get('agg_1m')!.at(-1)).to.deep.include({ count: [5n], sum: [27] });
      const shadow = outcome.facts.find((fact) => fact.kind === 'shadow')!;
      expect(shadow.reported.map(({ value, eventTimeMs }) => [value, eventTimeMs])).to.deep.equal([
        [2, atS(20)],
      ]);
    });

    it('raises and clears no alert', async () => {
      const alert: PlanAlert = {
        ...{ id: 0, name: 'hot', metric: 0, severity: 'warning', condition: 'above' },
        ...{ low: 0, high: 50, hysteresis: 0, dwellMs: 0, retired: false },
      };
      const session = new Session(Story.of({ ...SPARKPLUG, alerts: [alert] }));
      session.at(10, 'NDATA', [old(99, 10)]).at(11, 'NDATA', [now(60)]);
      session.at(12, 'NDATA', [old(1, 12)]).at(13, 'NDATA', [now(1)]);
      const rows = (await session.story.play(kernel)).tables.get('alerts') ?? [];
      expect(rows.map(({ active, value, raised_at }) => [active, value, raised_at])).to.deep.equal([
        [true, 60, atS(11)],
        [false, 60, atS(11)],
      ]);
    });

    it('is not judged as stuck, and does not break the run of what is', async () => {
      const metrics = [metricOf(0, 'temp', { stuckMs: 5_000 }), ...METRICS.slice(1)];
      const session = new Session(Story.of({ ...SPARKPLUG, metrics }));
      session.at(0, 'NDATA', [now(1)]).at(4, 'NDATA', [old(2, 4)]);
      session
        .at(5, 'NDATA', [now(1)])
        .at(6, 'NDATA', [old(1, 6)])
        .at(7, 'NDATA', [now(1)]);
      const wanted = ['', '', '', '', 'VALUE_STUCK'];
      expect(await session.story.statuses(kernel)).to.deep.equal(wanted);
    });

    it('tells nothing of the clock', async () => {
      const session = new Session().at(100, 'NDATA', [old(1, 160)]).at(101, 'NDATA', [now(1)]);
      const rows = await session.story.tick(102).rows(kernel, 'devices', ['clock_offset_ms']);
      expect(rows).to.deep.equal([{ clock_offset_ms: 0n }]);
    });
  });

  describe('counts what is missing by seq', () => {
    /** Messages 'kind seq' of one sample each (deaths have none), and missing ones. */
    for (const [name, messages, missing] of [
      ['nothing, one after the other', ['NDATA 0', 'NDATA 1', 'NDATA 2'], 0],
      ['those between', ['NDATA 0', 'NDATA 2', 'NDATA 10'], 8],
      ['around the end of the numbers', ['NDATA 254', 'NDATA 255', 'NDATA 0', 'NDATA 2'], 1],
      ['a number twice as all others', ['NDATA 5', 'NDATA 5'], 255],
      ['over all messages of the node', ['NDATA 5', 'DDATA/pump 6', 'DDATA/fan 9'], 2],
      ['nothing before the first, whatever its number', ['NDATA 200'], 0],
      ['nothing at a birth of the node, and from there on', ['NDATA 7', 'NBIRTH 0', 'NDATA 3'], 2],
      ['before a birth of a device', ['NDATA 7', 'DBIRTH/pump 9'], 1],
      ['nothing at the death of the node', ['NDATA 7', 'NDEATH 100', 'NDATA 101'], 0],
      ['before the death of a device', ['NDATA 7', 'DDEATH/pump 9', 'NDATA 10'], 1],
      ['past messages without a number', ['NDATA 7', 'NDATA', 'NDATA 9'], 1],
    ] as const) {
      it(name, async () => {
        const session = new Session(Story.of(SPARKPLUG, { quality: true }));
        messages.forEach((each, second) => {
          const [kind, seq] = each.split(' ') as [string, string | undefined];
          const metric = kind.endsWith('pump') ? 'speed' : kind.endsWith('fan') ? 'turn' : 'temp';
          const said = kind.includes('DEATH') ? [] : [{ name: metric, value: second }];
          session.at(second, kind, said, seq === undefined ? {} : { seq: Number(seq) });
        });
        const samples = messages.filter((each) => !each.includes('DEATH')).length;
        const columns = ['completeness_good', 'completeness_total'];
        const rows = await session.story.tick(100).rows(kernel, 'quality_1m', columns);
        const wanted = {
          completeness_good: BigInt(samples),
          completeness_total: BigInt(samples + missing),
        };
        expect(rows).to.deep.equal([wanted]);
      });
    }
  });

  describe('goes on from a checkpoint in its midst', () => {
    const session = (): Session => {
      const told = new Session(Story.of(SPARKPLUG, { quality: true }));
      told.at(0, 'NBIRTH', [bind('temp', 1), bind('level', 2)], { seq: 0 });
      told.at(1, 'DBIRTH/pump', [bind('speed', 2 ** 40)], { seq: 1 });
      told.at(2, 'DDATA/pump', [say(2 ** 40, 4)], { seq: 2 });
      told.at(3, 'NDATA', [say(1, 5)], { seq: 5 }).at(4, 'NDATA', [say(2, 6)], { seq: 6 });
      told.at(5, 'DDEATH/pump', [], { seq: 7 }).at(6, 'DDATA/pump', [say(2 ** 40, 1)], { seq: 8 });
      return told.at(7, 'NBIRTH', [bind('temp', 2)], { seq: 0 }).at(8, 'NDATA', [say(2, 9)]);
    };

    for (const build of BUILDS) {
      it(`at every message: aliases and the next seq survive (${build})`, async () => {
        const own = await startKernel(build);
        try {
          const { story } = session();
          const { messages } = story.tick(100).log;
          const whole = await story.play(own);
          expect(whole.tables.get('ch_c')!.length).to.equal(4);
          for (let place = 1; place < messages.length; place += 1) {
            const before = story.open(own);
            const parts = await drive(before, all(messages.slice(0, place)));
            const fresh = restored(before, story.open(own));
            fresh.usePlan(Buffer.from(messages[0]!.payload).toString('utf8'));
            fresh.importDone(before.stateHash());
            await drive(fresh, all(messages.slice(place)), parts);
            expect(difference(lines(parts), lines(whole)), `cut at ${place}`).to.equal('');
            expect(parts.stateHash, `cut at ${place}`).to.equal(whole.stateHash);
            for (const partition of [before, fresh]) partition.close();
          }
        } finally {
          await own.stop();
        }
      });
    }

    function restored(from: PartitionKernel, to: PartitionKernel): PartitionKernel {
      for (const chunk of from.exportState('all')) to.importState(chunk);
      from.exportDone(true);
      return to;
    }

    it('and would show it if the aliases were lost', async () => {
      const lost = new Outcome();
      const { story } = session();
      const { messages } = story.log;
      await drive(story.open(kernel), all([messages[0]!, ...messages.slice(3)]), lost);
      expect(lost.deadLetters.length).to.be.greaterThan(0);
    });
  });
});
