/** Law 2, measured: between the log and ClickHouse JavaScript makes nothing per event. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { siblingModule } from '../../src/base/sibling.ts';
import type { Allocation } from './allocation.ts';

/**
 * Room for what is made per chunk, turn and block, and for a number that V8 boxes while code is
 * not compiled (seen: 2 to 16 B together); a view or an object per message would be more.
 */
const BYTES_PER_MESSAGE_MAX = 24;

describe('the way of an event through JavaScript', function () {
  this.timeout(120_000);

  it('allocates nothing per event, from the socket to finished blocks', async () => {
    const file = fileURLToPath(siblingModule(import.meta.url, './allocation'));
    const loader = file.endsWith('.ts') ? ['--import', 'tsx'] : [];
    const { stdout } = await promisify(execFile)(process.execPath, [...loader, file]);
    const { messages, rows, bytes, bytesOfObject } = JSON.parse(stdout) as Allocation;
    expect(messages).to.be.above(0);
    expect(rows).to.be.at.least(messages);
    expect(bytesOfObject, 'an object per message is seen').to.be.above(BYTES_PER_MESSAGE_MAX);
    expect(bytes).to.be.below(BYTES_PER_MESSAGE_MAX);
  });
});
