/**
 * Ports on loopback. In: what the configuration asks for. Out: numbers that were free a moment ago,
 * or PORT_BUSY naming the port and its setting. Not guaranteed: that they still are free when the
 * server binds them; the engine chooses again when it chose itself.
 */
import { createServer, type Server } from 'node:net';
import { OperatingError } from '../../model/error.ts';
import { LOOPBACK } from './config.ts';

/** A number, or 'auto' (also 0): any free one. */
export type PortChoice = number | 'auto';

export interface PortRequest {
  /** The configuration setting, for the message. */
  readonly setting: string;
  readonly port: PortChoice;
}

export const isAuto = (port: PortChoice): boolean => port === 'auto' || port === 0;

/** Holds all ports at once before it lets them go, so that no two are equal. */
export async function choosePorts(requests: readonly PortRequest[]): Promise<number[]> {
  const held: Server[] = [];
  try {
    const fixedFirst = [...requests].sort(
      (a, b) => Number(isAuto(a.port)) - Number(isAuto(b.port)),
    );
    const chosen = new Map<PortRequest, number>();
    for (const request of fixedFirst) {
      const server = await hold(request);
      held.push(server);
      chosen.set(request, (server.address() as { port: number }).port);
    }
    return requests.map((request) => chosen.get(request)!);
  } finally {
    await Promise.all(held.map((server) => new Promise((done) => server.close(done))));
  }
}

function hold({ setting, port }: PortRequest): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (cause: NodeJS.ErrnoException) => reject(busyError(setting, port, cause)));
    server.listen({ host: LOOPBACK, port: port === 'auto' ? 0 : port, exclusive: true }, () =>
      resolve(server),
    );
  });
}

function busyError(setting: string, port: PortChoice, cause: NodeJS.ErrnoException): Error {
  const why =
    cause.code === 'EADDRINUSE' ? 'is taken by another process' : `fails: ${cause.message}`;
  return new OperatingError(
    'PORT_BUSY',
    `Port ${port} on ${LOOPBACK} (${setting}) ${why}. Stop that process, choose another port for ` +
      `${setting} in millrace.yaml, or start with --ports auto.`,
    { cause, where: { port, setting } },
  );
}
