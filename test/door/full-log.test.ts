/** A log that fills up, over a real server: devices are refused first, ticks and plans never. */
import { expect } from 'chai';
import { systemClock } from '../../src/base/clock.ts';
import { createIngest } from '../../src/ingest/index.ts';
import { createLogAppender, createLogPurger, createLogReader } from '../../src/log/index.ts';
import { LOG_FULL_SHARE } from '../../src/model/limit.ts';
import { cleanUp, codeOf, makeLog } from '../support/log-fixture.ts';
import { until } from '../support/until.ts';

const BYTES_MAX = 2 * 1_048_576;
const TICKS = 1_000;

describe('a log that fills up', () => {
  afterEach(cleanUp);

  it('refuses devices at 80 %, takes ticks beyond, and devices again once purged', async () => {
    const { link } = await makeLog({ logBytesMax: BYTES_MAX, partitions: 1 });
    const appender = createLogAppender({ link, logId: 'main' });
    const log = createLogReader({ link, logId: 'main' });
    const ingest = createIngest({ appender, log, partitions: 1, clock: systemClock });
    const admit = () =>
      codeOf(
        ingest.admit({
          identity: { tenant: 't', site: 's', device: 'd' },
          channel: 'c',
          receivedAtMs: 1,
          payload: Buffer.alloc(30_000, 'x'),
        }),
      );
    let stored = 0;
    while ((await admit()) === 'none') stored += 1;
    expect(await admit()).to.equal('LOG_FULL');
    const { bytes, lastSequence } = await log.state(0);
    expect(bytes).to.be.within(BYTES_MAX * LOG_FULL_SHARE, BYTES_MAX * LOG_FULL_SHARE + 65_536);
    for (let count = 0; count < TICKS; count += 1) {
      await appender.append({ kind: 'tick', partition: 0, body: new Uint8Array(64) });
    }
    expect((await log.state(0)).lastSequence).to.equal(BigInt(stored + TICKS));
    const purger = createLogPurger({ link, logId: 'main' });
    await purger.purge(0, lastSequence, systemClock.nowMs());
    await until(async () => (await admit()) === 'none');
    await ingest.stop();
  });
});
