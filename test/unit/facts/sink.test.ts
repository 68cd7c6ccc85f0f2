/** The fact sink over a real server, seen as services see it. */
import { Kvm } from '@nats-io/kv';
import { headers } from '@nats-io/transport-node';
import { expect } from 'chai';
import {
  createFactSink,
  type FactSinkOptions,
  type NatsFactSink,
} from '../../../src/facts/index.ts';
import type { NatsLink } from '../../../src/log/index.ts';
import { type Fact, type ShadowFact, versionNumber } from '../../../src/model/fact.ts';
import { decodeFact, type FactMessage } from '../../../src/wire/fact.ts';
import { alertFact, deadLetter, shadowFact, windowFact } from '../../support/fact-sample.ts';
import { cleanUp, makeLink, makeLog, undoLater, until } from '../../support/log-fixture.ts';
import { factKey, MemoryFactSink } from '../../support/memory-sink.ts';

function makeSink(link: NatsLink, options: Partial<FactSinkOptions> = {}): NatsFactSink {
  const sink = createFactSink({ link, ...options });
  undoLater(() => sink.stop());
  return sink;
}

/** A service: everything it hears on a subject, decoded. */
async function listen(link: NatsLink, ...subjects: string[]) {
  const heard: { readonly subject: string; readonly fact: FactMessage }[] = [];
  for (const each of subjects) {
    link.nc.subscribe(each, {
      callback: (_, { subject, data }) => {
        heard.push({ subject, fact: decodeFact(data) });
      },
    });
  }
  await link.nc.flush();
  return heard;
}

async function stored(link: NatsLink, stream: string): Promise<number> {
  const reply = await link.request(`$JS.API.STREAM.INFO.${stream}`, new Uint8Array(0));
  return (reply.json() as { state: { messages: number } }).state.messages;
}

async function shadowOf(link: NatsLink, key: string): Promise<ShadowFact | null> {
  const entry = await (await new Kvm(link.nc).open('shadow')).get(key);
  return entry && (decodeFact(entry.value) as ShadowFact);
}

const at = (sequence: number, change: Partial<ShadowFact> = {}) =>
  shadowFact({ version: { generation: 0, sequence: BigInt(sequence), ordinal: 0 }, ...change });

/** Revisions of windows of some devices, in the order a log would give them. */
function windowFacts(count: number): Fact[] {
  return Array.from({ length: count }, (_, index) =>
    windowFact({
      identity: { tenant: 'acme', site: 'north', device: `truck-${index % 40}` },
      windowStartMs: 60_000 * Math.floor(index / 200),
      revision: Math.floor((index % 200) / 40),
      version: { generation: 0, sequence: BigInt(index + 1), ordinal: 0 },
    }),
  );
}

function newestOf(facts: readonly Fact[]): Map<string, Fact> {
  const sink = new MemoryFactSink();
  sink.facts.push(...facts);
  return new Map(sink.newest());
}

describe('the fact sink', () => {
  afterEach(cleanUp);

  for (const format of ['json', 'protobuf'] as const) {
    it(`publishes each kind on its subject, stored and acknowledged, as ${format}`, async () => {
      const { server, link } = await makeLog();
      const heard = await listen(await makeLink(server), 'agg.>', 'alert.>', 'shadow.>', 'dlq.>');
      const sink = makeSink(link, { format });
      await sink.publish([windowFact(), alertFact(), shadowFact()]);
      await sink.deadLetters([deadLetter(), deadLetter({ identity: null })]);
      await sink.flushed();
      expect([await stored(link, 'FACTS'), await stored(link, 'DLQ')]).to.deep.equal([3, 2]);
      expect(await stored(link, 'KV_shadow')).to.equal(1);
      await until(() => heard.length === 5, 'the service heard all');
      expect(heard.map(({ subject }) => subject).sort()).to.deep.equal([
        'agg.1m.acme.north.truck-7',
        'alert.critical.acme.north.truck-7.speeding',
        'dlq.OUT_OF_RANGE._._._',
        'dlq.OUT_OF_RANGE.acme.north.truck-7',
        'shadow.acme.north.truck-7',
      ]);
      const window = heard.find(({ subject }) => subject.startsWith('agg'))!;
      expect(window.fact).to.deep.equal(windowFact());
      expect(await shadowOf(link, 'acme.north.truck-7')).to.deep.equal(shadowFact());
    });
  }

  it('lets a subscriber that keeps the highest version end with exactly the newest', async () => {
    const { server, link } = await makeLog();
    const heard = await listen(await makeLink(server), 'agg.1m.>');
    const facts = windowFacts(3_000);
    const sink = makeSink(link);
    await sink.publish(facts);
    await sink.flushed();
    await until(() => heard.length >= facts.length, 'the service heard all');
    const kept = newestOf(heard.map(({ fact }) => fact as Fact));
    expect(kept).to.deep.equal(newestOf(facts));
  });

  it('loses nothing when the server is killed while it publishes', async () => {
    const { server, link } = await makeLog();
    const facts = windowFacts(6_000);
    const shadows = Array.from({ length: 300 }, (_, index) => at(index + 1));
    const sink = makeSink(link);
    const publishing = sink.publish([...facts, ...shadows]);
    for (const share of [0.2, 0.6]) {
      await until(() => sink.counts.window.sent >= facts.length * share, 'some were sent');
      await server.kill('SIGKILL');
      await server.restart();
    }
    await publishing;
    await sink.flushed();
    expect(sink.counts.window.retried).to.be.greaterThan(0);
    const versions = new Set<bigint>();
    const heard = await listen(link, 'deliver.facts');
    const config = {
      deliver_subject: 'deliver.facts',
      ack_policy: 'none',
      deliver_policy: 'all',
      filter_subject: 'agg.>',
      flow_control: false,
    };
    const body = JSON.stringify({ stream_name: 'FACTS', config });
    await link.request('$JS.API.CONSUMER.CREATE.FACTS', new TextEncoder().encode(body));
    await until(() => {
      for (const { fact } of heard.splice(0)) versions.add(versionNumber((fact as Fact).version));
      return versions.size === facts.length;
    }, 'every fact is in the stream');
    expect((await shadowOf(link, 'acme.north.truck-7'))!.version.sequence).to.equal(300n);
  });

  it('takes facts while the server is away, up to its bound, and then waits', async () => {
    const { server, link } = await makeLog();
    const sink = makeSink(link, { heldMax: 100, inFlightMax: 10 });
    await server.kill();
    await until(() => !link.isConnected, 'the loss was noticed');
    let isTaken = false;
    const publishing = sink.publish(windowFacts(101)).then(() => {
      isTaken = true;
    });
    await until(() => sink.counts.window.held === 100, 'it holds what it may');
    expect(isTaken).to.equal(false);
    await server.restart();
    await publishing;
    await sink.flushed();
    expect(sink.counts.window).to.include({ sent: 101, held: 0 });
  });

  it('sends dead letters and shadows although windows do not get through', async () => {
    const { link } = await makeLog();
    await link.request('$JS.API.STREAM.DELETE.FACTS', new Uint8Array(0));
    const sink = makeSink(link);
    void sink.publish([windowFact(), shadowFact()]);
    await sink.deadLetters([deadLetter()]);
    await until(() => sink.counts.deadLetter.sent === 1, 'the dead letter was stored');
    await until(() => sink.counts.bucket.sent === 1, 'the bucket has the shadow');
    expect(sink.counts.window.sent).to.equal(0);
    expect(sink.counts.window.held).to.equal(1);
  });
});

describe('the bucket of shadows', () => {
  afterEach(cleanUp);
  const key = 'acme.north.truck-7';

  it('is not turned back by a replay, in this process or after a restart', async () => {
    const { server, link } = await makeLog();
    const sink = makeSink(link);
    for (const sequence of [5, 9, 7]) await sink.publish([at(sequence)]);
    await sink.flushed();
    const restarted = makeSink(await makeLink(server));
    for (const sequence of [3, 8]) {
      await restarted.publish([at(sequence)]);
      await restarted.flushed();
      expect((await shadowOf(link, key))!.version.sequence).to.equal(9n);
    }
    await restarted.publish([at(10)]);
    await restarted.flushed();
    expect((await shadowOf(link, key))!.version.sequence).to.equal(10n);
  });

  it('holds the newest when two owners write at the same time', async () => {
    const { server, link } = await makeLog();
    const sinks = [makeSink(link), makeSink(await makeLink(server))];
    for (let round = 0; round < 100; round += 1) {
      await Promise.all(
        sinks.map((sink, index) => sink.publish([at(2 * round + (index === round % 2 ? 1 : 0))])),
      );
    }
    await Promise.all(sinks.map((sink) => sink.flushed()));
    expect((await shadowOf(link, key))!.version.sequence).to.equal(199n);
  });

  it('writes over what somebody else put or deleted there', async () => {
    const { link } = await makeLog();
    const bucket = await new Kvm(link.nc).open('shadow');
    await bucket.put(key, 'by hand');
    await bucket.delete(key);
    const sink = makeSink(link);
    await sink.publish([at(1)]);
    await sink.flushed();
    expect((await shadowOf(link, key))!.version.sequence).to.equal(1n);
  });

  it('settles a put whose reply was lost', async () => {
    const { link } = await makeLog();
    let lost = 0;
    const unlucky = Object.create(link, {
      request: {
        value: async (...sent: Parameters<NatsLink['request']>) => {
          const reply = await link.request(...sent);
          if (!sent[0].startsWith('$KV.') || lost >= 2) return reply;
          lost += 1;
          const nothing = {
            ...reply,
            headers: headers(),
            json: () => ({ error: { err_code: 1 } }),
          };
          return nothing as typeof reply;
        },
      },
    }) as NatsLink;
    const sink = makeSink(unlucky);
    for (const sequence of [1, 2, 3]) {
      await sink.publish([at(sequence)]);
      await sink.flushed();
    }
    expect(lost).to.equal(2);
    expect(await stored(link, 'KV_shadow')).to.equal(1);
    expect((await shadowOf(link, key))!.version.sequence).to.equal(3n);
  });

  it('gives up a shadow that is larger than a message may be, and goes on', async () => {
    const { link } = await makeLog();
    const troubles: string[] = [];
    const sink = makeSink(link, {
      onTrouble: ({ lane, isRefused }) => troubles.push(`${lane} ${isRefused}`),
    });
    const [value] = shadowFact().reported;
    const huge = at(1, { reported: Array.from({ length: 20_000 }, () => value!) });
    const other = at(2, { identity: { tenant: 'acme', site: 'north', device: 'other' } });
    await sink.publish([huge, other]);
    await sink.flushed();
    expect(troubles.sort()).to.deep.equal(['bucket true', 'shadow true']);
    expect(await shadowOf(link, key)).to.equal(null);
    expect(factKey((await shadowOf(link, 'acme.north.other'))!)).to.equal(factKey(other));
  });
});
