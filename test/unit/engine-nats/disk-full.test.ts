import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.ts';
import { cleanUp, makeEngine, temporaryFolder, undoLater } from './fixture.ts';

const DISK_MIB = 128;
/** More than the restart asks for, less than the disk. */
const BALLAST_MIB = 120;
const MESSAGE = new Uint8Array(64 * 1024);

/** A small disk of its own, or null where this user may not mount one. */
function smallDisk(): string | null {
  const folder = temporaryFolder();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m`, 'tmpfs', folder], {
      stdio: 'ignore',
    });
  } catch {
    return null;
  }
  undoLater(() => execFileSync('umount', ['-l', folder]));
  return folder;
}

describe('nats-server on a disk that fills up', function () {
  this.timeout(60_000);
  afterEach(cleanUp);

  it('says so, and takes messages again by itself once there is room', async function () {
    const disk = smallDisk();
    if (!disk) return this.skip();
    const troubles: string[] = [];
    const { engine } = await makeEngine({
      folder: join(disk, 'nats'),
      onTrouble: (error) => troubles.push(error.code),
    });
    const { url, user, password } = await engine.start();
    const nc = await connect({ servers: url, user, pass: password, maxReconnectAttempts: -1 });
    undoLater(() => nc.close());
    await (await jetstreamManager(nc)).streams.add({ name: 'S', subjects: ['s'] });
    writeFileSync(join(disk, 'ballast'), new Uint8Array(BALLAST_MIB * 1024 * 1024));

    const acknowledged = await publishUntil(nc, false);
    await until(() => troubles.includes('DISK_FULL'));
    rmSync(join(disk, 'ballast'));
    const more = await publishUntil(nc, true);
    const { state } = await (await jetstreamManager(nc)).streams.info('S');
    expect(state.messages).to.be.at.least(acknowledged + more);
  });
});

/** Publishes until one is (not) acknowledged; gives how many were. */
async function publishUntil(nc: NatsConnection, isAcknowledged: boolean): Promise<number> {
  let count = 0;
  const endMs = systemClock.monotonicMs() + 30_000;
  while (systemClock.monotonicMs() < endMs) {
    const stored = await jetstream(nc)
      .publish('s', MESSAGE, { timeout: 1000 })
      .then(
        () => true,
        () => false,
      );
    if (stored) count += 1;
    if (stored === isAcknowledged) return count;
  }
  return expect.fail(`no publish was ${isAcknowledged ? '' : 'not '}acknowledged in time`);
}

async function until(check: () => boolean): Promise<void> {
  const endMs = systemClock.monotonicMs() + 20_000;
  while (!check()) {
    if (systemClock.monotonicMs() > endMs) expect.fail('not in time');
    await systemClock.wait(20);
  }
}
