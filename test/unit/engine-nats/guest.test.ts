import { request } from 'node:http';
import { jetstream, jetstreamManager, RetentionPolicy } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { expect } from 'chai';
import { serverConfigText } from '../../../src/engine/nats/config.ts';
import type { NatsAddress } from '../../../src/engine/nats/engine.ts';
import * as fixture from './fixture.ts';

/** FNV-1a 32 over the concatenated tokens: what the server's partition() does. */
function partitionOf(tokens: readonly string[], count: number): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(tokens.join(''))) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0) % count;
}

const answerOf = (nc: NatsConnection, subject: string, payload: unknown = {}) =>
  nc.request(subject, JSON.stringify(payload), { timeout: 1_000 }).then(
    (message) => message.json<Record<string, unknown>>(),
    (error: Error) => error,
  );

describe('what a client without a password may do', function () {
  this.timeout(60_000);
  let address: NatsAddress;
  let admin: NatsConnection;
  let guest: NatsConnection;

  before(async () => {
    const { engine } = await fixture.makeEngine({ partitionCount: 4 });
    address = await engine.start();
    const { url, user, password } = address;
    admin = await connect({ servers: url, user, pass: password });
    guest = await connect({ servers: url });
    const jsm = await jetstreamManager(admin);
    for (let p = 0; p < 4; p += 1) {
      await jsm.streams.add({ name: `LOG_main_${p}`, subjects: [`log.main.${p}.>`] });
    }
    const subjects = ['agg.>', 'alert.>', 'shadow.>'];
    const retention = RetentionPolicy.Limits;
    await jsm.streams.add({ name: 'FACTS', subjects, retention, allow_direct: true });
    await jsm.streams.add({ name: 'DLQ', subjects: ['dlq.>'], allow_direct: true });
    await jsm.streams.add({ name: 'STATE', subjects: ['state.>'], allow_direct: true });
    await (await new Kvm(admin).create('shadow')).put('t.s.d', 'reported');
    await admin.request('agg.1m.t.s.d', 'fact');
  });
  after(async () => {
    await guest?.close();
    await admin?.close();
    await fixture.cleanUp();
  });

  it('publishes telemetry, which lands in its device’s partition and is acknowledged', async () => {
    const jsm = await jetstreamManager(admin);
    for (const device of ['d', 'truck-1', 'truck-2', 'truck_3']) {
      const acknowledgement = await answerOf(guest, `iot.t.s.${device}.t.c`, { speed: 1 });
      const partition = partitionOf(['t', 's', device], 4);
      expect(acknowledgement, device).to.include({ stream: `LOG_main_${partition}` });
      const subject = `log.main.${partition}.iot.t.s.${device}.t.c`;
      const stored = await jsm.streams.getMessage(`LOG_main_${partition}`, {
        last_by_subj: subject,
      });
      expect(stored?.string()).to.equal('{"speed":1}');
      expect(stored?.seq).to.equal((acknowledgement as { seq: number }).seq);
    }
  });

  const refused: readonly [string, unknown][] = [
    ['log.main.0.batch', {}],
    ['log.main.0.tick', {}],
    ['log.other.0.iot.t.s.d.t.c', {}],
    ['agg.1m.t.s.d', {}],
    ['shadow.t.s.d', {}],
    ['$KV.shadow.t.s.d', 'forged'],
    ['ckpt.core.0', {}],
    ['state.core.0.x', {}],
    ['$JS.API.STREAM.DELETE.FACTS', {}],
    ['$JS.API.STREAM.DELETE.LOG_main_0', {}],
    ['$JS.API.STREAM.PURGE.LOG_main_0', {}],
    ['$JS.API.STREAM.UPDATE.FACTS', { name: 'FACTS', subjects: ['agg.>'] }],
    ['$JS.API.STREAM.CREATE.MINE', { name: 'MINE', subjects: ['mine.>'] }],
    ['$JS.API.STREAM.MSG.GET.STATE', { seq: 1 }],
    ['$JS.API.DIRECT.GET.STATE', { seq: 1 }],
    ['$JS.API.CONSUMER.CREATE.LOG_main_0', { stream_name: 'LOG_main_0', config: {} }],
    ['$JS.API.CONSUMER.DELETE.LOG_main_0.x', {}],
  ];
  for (const [subject, payload] of refused) {
    it(`is refused ${subject}`, async () => {
      const answer = await answerOf(guest, subject, payload);
      expect(answer, JSON.stringify(answer)).to.be.instanceOf(Error);
      expect(String((answer as Error).cause ?? answer)).to.match(/permissions violation/i);
    });
  }

  const unheard = ['log.>', 'ckpt.>', 'state.>', '$JS.API.>', '>'];
  for (const subject of unheard) {
    it(`is refused to listen to ${subject}`, async () => {
      const error = await new Promise<unknown>((resolve) => {
        guest.subscribe(subject, { callback: (problem) => resolve(problem) });
      });
      expect(String(error)).to.match(/permissions violation/i);
    });
  }

  it('reads facts through a consumer and by direct get', async () => {
    const consumer = await jetstream(guest).consumers.get('FACTS', { filter_subjects: ['agg.>'] });
    const fact = await consumer.next({ expires: 2_000 });
    expect(fact?.subject).to.equal('agg.1m.t.s.d');
    const jsm = await jetstreamManager(guest);
    const direct = await jsm.direct.getMessage('FACTS', { last_by_subj: 'agg.1m.t.s.d' });
    expect(direct?.string()).to.equal('fact');
  });

  it('reads and watches shadows', async () => {
    const shadows = await new Kvm(guest).open('shadow', { allow_direct: true });
    expect((await shadows.get('t.s.d'))?.string()).to.equal('reported');
    const watch = await shadows.watch({ key: 't.>' });
    for await (const entry of watch) {
      expect(entry.string()).to.equal('reported');
      break;
    }
  });

  /** What the server answers to the opening of a WebSocket. */
  const openingStatus = (headers: Record<string, string>) =>
    new Promise<number | undefined>((resolve, reject) => {
      const opening = request(address.websocketUrl.replace('ws:', 'http:'), {
        headers: {
          Connection: 'Upgrade',
          Upgrade: 'websocket',
          'Sec-WebSocket-Version': '13',
          'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
          ...headers,
        },
      });
      opening.on('upgrade', (response, socket) => {
        socket.destroy();
        resolve(response.statusCode);
      });
      opening.on('response', (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      opening.on('error', reject);
      opening.end();
    });

  it('connects over WebSocket, but not from a page of another origin', async () => {
    expect(await openingStatus({})).to.equal(101);
    expect(await openingStatus({ Origin: 'http://elsewhere.example' })).to.equal(403);
  });

  it('cannot let a consumer write for it', async () => {
    const inbox = '_INBOX.guest.delivered';
    const arrived = new Promise((resolve) => guest.subscribe(inbox, { callback: resolve }));
    const targets = ['log.main.0.batch', '$JS.API.STREAM.DELETE.STATE', inbox];
    for (const [index, deliver_subject] of targets.entries()) {
      const config = { durable_name: `push${index}`, deliver_subject, ack_policy: 'none' };
      const subject = `$JS.API.CONSUMER.CREATE.FACTS.push${index}`;
      const answer = await answerOf(guest, subject, { stream_name: 'FACTS', config });
      expect(answer, JSON.stringify(answer)).to.have.property('created');
    }
    await arrived;
    const jsm = await jetstreamManager(admin);
    expect((await jsm.streams.info('STATE')).config.name).to.equal('STATE');
    const delivered = async (name: string) =>
      (await jsm.consumers.info('FACTS', name)).delivered.consumer_seq;
    expect(await delivered('push0')).to.equal(0);
    expect(await delivered('push1')).to.equal(0);
    expect(await delivered('push2')).to.equal(1);
  });
});

describe('the generated configuration', () => {
  const config = {
    port: 1,
    monitorPort: 2,
    websocketPort: 3,
    websocketOrigins: ['http://127.0.0.1:8080'],
    storeFolder: '/tmp/a "quoted" folder',
    pidFile: '/p',
    logFile: '/l',
    storeBytesMax: 5,
    syncAlways: true,
    logId: 'main',
    partitionCount: 16,
    password: 'secret',
  };

  it('says what was asked for, and quotes what a path may hold', () => {
    const text = serverConfigText(config);
    expect(text).to.include('store_dir: "/tmp/a \\"quoted\\" folder"');
    expect(text).to.include('sync_interval: always');
    expect(text).to.include('allowed_origins: ["http://127.0.0.1:8080"]');
    expect(text).to.include('{{partition(16,1,2,3)}}');
    expect(serverConfigText({ ...config, syncAlways: false })).not.to.include('sync_interval');
  });

  it('listens on loopback only', () => {
    const listens = serverConfigText(config).match(/^\s*(listen|http): .*$/gm);
    expect(listens).to.have.length(3);
    for (const line of listens!) expect(line).to.include('"127.0.0.1:');
  });
});
