/**
 * Ports of a local cluster on loopback. In: how many. Out: numbers that nobody holds. They lie
 * below the range from which the system gives ports to outgoing connections: a server that is down
 * for a moment finds its own port again.
 */
import { createServer } from 'node:net';
import { OperatingError } from '../../src/model/error.ts';

export const LOOPBACK = '127.0.0.1';
const FIRST = 20_000;
const LAST = 32_000;

/** Begins at a place of this process, so that clusters that start together rarely meet. */
export async function chooseLocalPorts(count: number): Promise<number[]> {
  const span = LAST - FIRST;
  const begin = (process.pid * 97) % span;
  const chosen: number[] = [];
  for (let step = 0; step < span && chosen.length < count; step += 1) {
    const port = FIRST + ((begin + step) % span);
    if (await isFree(port)) chosen.push(port);
  }
  if (chosen.length === count) return chosen;
  throw new OperatingError(
    'PORT_BUSY',
    `there are no ${count} free ports from ${FIRST} to ${LAST}`,
  );
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: LOOPBACK, port, exclusive: true }, () =>
      server.close(() => resolve(true)),
    );
  });
}
