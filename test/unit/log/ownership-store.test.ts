/** Compare-and-set when replies are lost, over a real server. */
import { expect } from 'chai';
import { createOwnership, type NatsLink } from '../../../src/log/index.ts';
import type { OwnershipRecord } from '../../../src/model/doors.ts';
import { OperatingError } from '../../../src/model/error.ts';
import { bytesOf, cleanUp, codeOf, makeLink, makeLog } from '../../support/log-fixture.ts';

const record = (nonce: string): OwnershipRecord => ({
  owner: 'a',
  nonce,
  epoch: 1,
  generation: 0,
  position: '0',
  identity: null,
  identities: [],
  objects: [],
  rootHash: '',
  plan: '',
  planText: '',
  stateGeneration: 1,
  cut: null,
  history: [],
  layoutVersion: 2,
  semanticsVersion: 1,
});

type Fate = 'answered' | 'lostReply' | 'neverSent';

/** A link whose next writes to CKPT meet the given fates; afterwards all are answered. */
function fated(link: NatsLink, fates: Fate[]): NatsLink {
  return Object.create(link, {
    request: {
      value: async (...sent: Parameters<NatsLink['request']>) => {
        const fate = sent[0].startsWith('$JS') ? 'answered' : (fates.shift() ?? 'answered');
        if (fate === 'neverSent') throw new OperatingError('NATS_UNREACHABLE', 'never sent');
        const reply = await link.request(...sent);
        if (fate === 'lostReply') throw new OperatingError('NATS_UNREACHABLE', 'reply lost');
        return reply;
      },
    },
  }) as NatsLink;
}

describe('ownership over JetStream', () => {
  afterEach(cleanUp);

  const stored = async (link: NatsLink) => {
    const reply = await link.request('$JS.API.STREAM.INFO.CKPT', new Uint8Array(0));
    return (reply.json() as { state: { messages: number } }).state.messages;
  };

  const cases: { readonly title: string; readonly fates: Fate[] }[] = [
    { title: 'the reply is lost', fates: ['lostReply'] },
    { title: 'it was never sent', fates: ['neverSent'] },
    { title: 'it was never sent, and then the reply is lost', fates: ['neverSent', 'lostReply'] },
  ];
  for (const { title, fates } of cases) {
    it(`settles a save to one record when ${title}`, async () => {
      const { link } = await makeLog();
      const ownership = createOwnership({ link: fated(link, [...fates]), job: 'core' });
      const revision = await ownership.save(0, record('n1'), 0n);
      expect((await ownership.load(0))!.revision).to.equal(revision);
      expect(await stored(link)).to.equal(1);
      expect(await ownership.save(0, record('n2'), revision!)).to.be.a('bigint');
    });
  }

  it('says null, not an error, when another wrote while the reply was lost', async () => {
    const { server, link } = await makeLog();
    const other = createOwnership({ link: await makeLink(server), job: 'core' });
    await other.save(0, record('theirs'), 0n);
    const ownership = createOwnership({ link: fated(link, ['neverSent']), job: 'core' });
    expect(await ownership.save(0, record('mine'), 0n)).to.equal(null);
  });

  it('gives up with NATS_UNREACHABLE when nothing arrives; the nonce may come again', async () => {
    const { link } = await makeLog();
    const fates: Fate[] = ['neverSent', 'neverSent', 'neverSent'];
    const ownership = createOwnership({ link: fated(link, fates), job: 'core' });
    expect(await codeOf(ownership.save(0, record('n1'), 0n))).to.equal('NATS_UNREACHABLE');
    expect(await ownership.save(0, record('n1'), 0n)).to.be.a('bigint');
  });

  it('writes a skip once when the reply is lost', async () => {
    const { link } = await makeLog();
    const ownership = createOwnership({ link: fated(link, ['lostReply']), job: 'core' });
    const position = { partition: 3, sequence: 17n, index: 4 };
    await ownership.addSkip(position);
    expect(await ownership.skips(3)).to.deep.equal([position]);
    expect(await stored(link)).to.equal(1);
  });

  it('says CHECKPOINT_CORRUPT when the record is none', async () => {
    const { link } = await makeLog();
    await link.request('ckpt.core.0', bytesOf('not a record'));
    const ownership = createOwnership({ link, job: 'core' });
    expect(await codeOf(ownership.load(0))).to.equal('CHECKPOINT_CORRUPT');
  });

  it('keeps jobs apart', async () => {
    const { link } = await makeLog();
    const [core, other] = ['core', 'other'].map((job) => createOwnership({ link, job }));
    await core!.save(0, record('n1'), 0n);
    expect(await other!.load(0)).to.equal(null);
  });

  it('keeps the records of two logs of one account apart', async () => {
    const { link } = await makeLog();
    const [main, other] = ['main', 'other'].map((log) =>
      createOwnership({ link, job: 'core', log }),
    );
    await main!.save(0, record('n1'), 0n);
    await main!.addSkip({ partition: 0, sequence: 1n, index: 0 });
    expect(await other!.load(0)).to.equal(null);
    expect(await other!.skips(0)).to.deep.equal([]);
    expect(await main!.skips(0)).to.have.length(1);
  });
});
