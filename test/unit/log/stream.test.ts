/** What is created, what an existing stream may look like, and what is refused. */
import { Kvm } from '@nats-io/kv';
import { expect } from 'chai';
import { ensureStreams, type NatsLink, planStreams } from '../../../src/log/index.ts';
import { OperatingError } from '../../../src/model/error.ts';
import {
  bytesOf,
  cleanUp,
  codeOf,
  makeLink,
  makeLog,
  makeServer,
  SMALL,
} from '../../support/log-fixture.ts';

type Config = Record<string, unknown>;

async function api(link: NatsLink, operation: string, body: Config = {}): Promise<Config> {
  const reply = await link.request(`$JS.API.STREAM.${operation}`, bytesOf(JSON.stringify(body)));
  return reply.json() as Config;
}

async function configOf(link: NatsLink, stream: string): Promise<Config> {
  return (await api(link, `INFO.${stream}`))['config'] as Config;
}

describe('the streams', () => {
  afterEach(cleanUp);

  it('are created as planned, and a second start changes nothing', async () => {
    const { link } = await makeLog();
    for (const asked of planStreams(SMALL)) {
      const { metadata, ...settings } = asked;
      const found = await configOf(link, asked.name);
      expect(found, asked.name).to.deep.include(settings);
      expect(found['metadata']).to.include(metadata);
    }
    const before = await api(link, 'INFO.LOG_main_1');
    await ensureStreams(link, SMALL);
    expect((await api(link, 'INFO.LOG_main_1'))['config']).to.deep.equal(before['config']);
  });

  it('of the log share its bytes, take full record batches and remember no message ids', () => {
    const [log] = planStreams({ ...SMALL, partitions: 16, logBytesMax: 1 << 30 });
    expect(log).to.include({
      name: 'LOG_main_0',
      max_bytes: 1 << 26,
      max_msg_size: 65_536 + 4_096,
      duplicate_window: 100_000_000,
      max_age: 0,
      discard: 'new',
    });
    expect(log!.subjects).to.deep.equal(['log.main.0.>']);
  });

  it('hold shadows in a bucket that every key-value client opens', async () => {
    const { link } = await makeLog();
    const bucket = await new Kvm(link.nc).open('shadow');
    await bucket.put('acme.north.truck-7', 'one');
    await bucket.put('acme.north.truck-7', 'two');
    expect((await bucket.get('acme.north.truck-7'))!.string()).to.equal('two');
    expect((await bucket.status()).history).to.equal(1);
  });

  const harmless: { readonly title: string; readonly change: Config }[] = [
    { title: 'a smaller limit of bytes', change: { max_bytes: 1_048_576 } },
    { title: 'a longer age', change: { max_age: 0 } },
    { title: 'a longer duplicate window', change: { duplicate_window: 1_000_000_000 } },
  ];
  for (const { title, change } of harmless) {
    it(`are corrected when they have ${title}, and keep what they hold`, async () => {
      const { link } = await makeLog({ logRetentionMs: 86_400_000 });
      await link.request('log.main.0.batch', bytesOf('kept'));
      await api(link, 'UPDATE.LOG_main_0', { ...(await configOf(link, 'LOG_main_0')), ...change });
      await ensureStreams(link, { ...SMALL, logRetentionMs: 86_400_000 });
      const found = await api(link, 'INFO.LOG_main_0');
      expect(found['config']).to.include({
        max_bytes: 128 << 20,
        max_age: 86_400_000_000_000,
        duplicate_window: 100_000_000,
      });
      expect((found['state'] as Config)['messages']).to.equal(1);
    });
  }

  const base = { storage: 'file', retention: 'limits', discard: 'new', allow_direct: true };
  const unsafe: { readonly setting: string; readonly stream: string; readonly change: Config }[] = [
    { setting: 'retention', stream: 'LOG_main_0', change: { retention: 'workqueue' } },
    { setting: 'storage', stream: 'LOG_main_1', change: { storage: 'memory' } },
    { setting: 'discard', stream: 'LOG_main_0', change: { discard: 'old' } },
    { setting: 'subjects', stream: 'LOG_main_0', change: { subjects: ['log.main.0.batch'] } },
    { setting: 'allow_direct', stream: 'LOG_main_0', change: { allow_direct: false } },
    { setting: 'max_age', stream: 'LOG_main_0', change: { max_age: 60_000_000_000 } },
    { setting: 'max_msgs', stream: 'LOG_main_0', change: { max_msgs: 10 } },
    { setting: 'max_msg_size', stream: 'LOG_main_0', change: { max_msg_size: 65_536 } },
    { setting: 'max_msgs_per_subject', stream: 'LOG_main_0', change: { max_msgs_per_subject: 5 } },
    { setting: 'allow_rollup_hdrs', stream: 'LOG_main_0', change: { allow_rollup_hdrs: true } },
    { setting: 'no_ack', stream: 'LOG_main_0', change: { no_ack: true } },
    { setting: 'allow_msg_ttl', stream: 'LOG_main_0', change: { allow_msg_ttl: true } },
    {
      setting: 'metadata.millrace-partitions',
      stream: 'LOG_main_0',
      change: { metadata: { 'millrace-partitions': '8' } },
    },
    {
      setting: 'discard',
      stream: 'CKPT',
      change: { subjects: ['ckpt.>', 'skip.>'], discard: 'old' },
    },
    { setting: 'storage', stream: 'STATE', change: { subjects: ['state.>'], storage: 'memory' } },
    { setting: 'subjects', stream: 'FACTS', change: { subjects: ['agg.>'], discard: 'old' } },
  ];
  for (const { setting, stream, change } of unsafe) {
    it(`are refused when ${stream} exists with another ${setting}`, async () => {
      const link = await makeLink(await makeServer());
      const subjects = [`log.main.${stream.slice(-1)}.>`];
      await api(link, `CREATE.${stream}`, { name: stream, ...base, subjects, ...change });
      try {
        await ensureStreams(link, SMALL);
        expect.fail('it was accepted');
      } catch (error) {
        const refused = error as OperatingError;
        expect(refused.code).to.equal('STREAM_UNSAFE');
        expect(refused.where).to.include({ stream, setting });
        expect(refused.message).to.include(`Stream ${stream} has ${setting} = `);
      }
      // Nothing was created before all were judged.
      expect((await api(link, 'NAMES'))['streams']).to.deep.equal([stream]);
    });
  }

  it('are refused when the log was made with more or with fewer partitions', async () => {
    const { link } = await makeLog({ partitions: 2 });
    expect(await codeOf(ensureStreams(link, { ...SMALL, partitions: 1 }))).to.equal(
      'STREAM_UNSAFE',
    );
    expect(await codeOf(ensureStreams(link, { ...SMALL, partitions: 4 }))).to.equal(
      'STREAM_UNSAFE',
    );
    expect(await codeOf(ensureStreams(link, { ...SMALL, logId: 'other' }))).to.equal('none');
  });

  it('are refused when another stream takes their subjects', async () => {
    const link = await makeLink(await makeServer());
    await api(link, 'CREATE.MINE', { name: 'MINE', subjects: ['agg.1m.>'] });
    expect(await codeOf(ensureStreams(link, SMALL))).to.equal('STREAM_UNSAFE');
  });

  it('fit into 90 % of the store together, or the refusal lists them', async () => {
    const sum = planStreams(SMALL).reduce((bytes, config) => bytes + config.max_bytes, 0);
    expect(() => planStreams({ ...SMALL, storeBytesMax: Math.ceil(sum / 0.9) })).to.not.throw();
    expect(() => planStreams({ ...SMALL, storeBytesMax: Math.floor(sum / 0.9) - 1 }))
      .to.throw(OperatingError, /90 % of the NATS store/)
      .with.property('code', 'STORE_TOO_SMALL');
  });

  it('are refused with STORE_TOO_SMALL when the server itself has less room', async () => {
    const link = await makeLink(await makeServer({ storeBytesMax: 64 << 20 }));
    expect(await codeOf(ensureStreams(link, SMALL))).to.equal('STORE_TOO_SMALL');
  });
});
