import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.ts';
import { createLogAppender, createLogPurger, createLogReader } from '../../../src/log/index.ts';
import { cleanUp, makeLog } from '../../support/log-fixture.ts';

const LOG = 'main';

async function logOf(count: number) {
  const { link } = await makeLog();
  const appender = createLogAppender({ link, logId: LOG });
  for (let index = 0; index < count; index += 1) {
    await appender.append({ kind: 'batch', partition: 0, body: Buffer.from(`m${index}`) });
  }
  return {
    appender,
    purger: createLogPurger({ link, logId: LOG }),
    reader: createLogReader({ link, logId: LOG }),
  };
}

describe('purging a log', () => {
  afterEach(cleanUp);

  it('removes what is below the durable position when all of it is old', async () => {
    const { purger, reader } = await logOf(10);
    const future = systemClock.nowMs() + 60_000;
    expect(await purger.purge(0, 6n, future)).to.equal(5);
    expect((await reader.state(0)).firstSequence).to.equal(6n);
  });

  it('keeps what is younger than the retention, however durable', async () => {
    const { purger, reader, appender } = await logOf(3);
    await systemClock.wait(20);
    const between = systemClock.nowMs();
    await systemClock.wait(20);
    await appender.append({ kind: 'batch', partition: 0, body: Buffer.from('young') });
    await purger.purge(0, 5n, between);
    expect((await reader.state(0)).firstSequence).to.equal(4n);
  });

  it('removes nothing when all is younger', async () => {
    const { purger, reader } = await logOf(3);
    expect(await purger.purge(0, 4n, systemClock.nowMs() - 60_000)).to.equal(0);
    expect((await reader.state(0)).firstSequence).to.equal(1n);
  });
});
