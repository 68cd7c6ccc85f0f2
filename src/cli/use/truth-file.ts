/**
 * The ground truth of a simulation: one NDJSON line per acknowledged event, in order of
 * acknowledgement. Senders wait in `room` while the disk is slower than the log.
 */
import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs';
import { dirname } from 'node:path';
import type { SimulatedEvent } from '../../sim/index.ts';

export class TruthFile {
  readonly path: string;
  readonly #stream: WriteStream;
  #failed: Error | null = null;
  #drained: Promise<void> | null = null;
  events = 0;

  constructor(path: string) {
    this.path = path;
    mkdirSync(dirname(path), { recursive: true });
    this.#stream = createWriteStream(path);
    this.#stream.on('error', (error) => {
      this.#failed = error;
    });
  }

  write(event: SimulatedEvent): void {
    const { bootId, sequence, ...rest } = event;
    const line = JSON.stringify({ ...rest, bootId: `${bootId}`, sequence: `${sequence}` });
    this.events += 1;
    if (this.#stream.write(`${line}\n`) || this.#drained) return;
    this.#drained = new Promise((resolve) => {
      const done = () => {
        this.#stream.off('drain', done).off('close', done);
        this.#drained = null;
        resolve();
      };
      this.#stream.once('drain', done).once('close', done);
    });
  }

  /** Resolves when the disk has caught up; rejects with what it said. */
  async room(): Promise<void> {
    await this.#drained;
    if (this.#failed) throw this.#failed;
  }

  async close(): Promise<void> {
    if (!this.#failed) await new Promise<void>((resolve) => this.#stream.end(resolve));
    if (this.#failed) throw this.#failed;
  }
}
