import { expect } from 'chai';
import { isOperatingError, OperatingError } from '../../../src/model/error.ts';
import { createPlanStore, declareChannel, serveChannels } from '../../../src/registry/index.ts';
import { cleanUp, makeLog, undoLater } from '../../support/log-fixture.ts';

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'none',
    (error: unknown) => (isOperatingError(error) ? `${error.code}: ${error.message}` : `${error}`),
  );
}

describe('declaring a channel on a running instance', () => {
  afterEach(cleanUp);

  it('answers once the instance has taken the declaration', async () => {
    const { link } = await makeLog();
    const taken: string[] = [];
    const service = serveChannels(link.nc, async ({ name, yaml }) => {
      taken.push(`${name}: ${yaml}`);
    });
    undoLater(() => service.stop());
    await declareChannel(link.nc, { name: 'climate', yaml: 'channels: {}' });
    expect(taken).to.deep.equal(['climate: channels: {}']);
  });

  it('gives back what the instance says against it', async () => {
    const { link } = await makeLog();
    const service = serveChannels(link.nc, async () => {
      throw new OperatingError('CONFIG_INVALID', 'x.yaml:1:2: no such unit');
    });
    undoLater(() => service.stop());
    expect(await codeOf(declareChannel(link.nc, { name: 'c', yaml: '' }))).to.equal(
      'CONFIG_INVALID: x.yaml:1:2: no such unit',
    );
  });

  it('says that nobody answers when nothing runs', async () => {
    const { link } = await makeLog();
    expect(await codeOf(declareChannel(link.nc, { name: 'c', yaml: '' }))).to.contain(
      'NATS_UNREACHABLE',
    );
  });
});

describe('the plan store', () => {
  afterEach(cleanUp);

  it('has nothing at first, then the newest plan, and knows whether every log has it', async () => {
    const { link } = await makeLog();
    const store = await createPlanStore(link.nc, 'main');
    expect(await store.load()).to.equal(null);
    await store.save('{"a":1}');
    expect(await store.load()).to.equal('{"a":1}');
    expect(await store.isInstalled('{"a":1}')).to.equal(false);
    await store.saveInstalled('{"a":1}');
    expect(await store.isInstalled('{"a":1}')).to.equal(true);
    expect(await store.isInstalled('{"a":2}')).to.equal(false);
  });
});
