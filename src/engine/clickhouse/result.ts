/**
 * Runs a statement that gives rows and streams them out. The engine writes INTO OUTFILE: into a
 * FIFO (any format comes out whole and in order, with back-pressure through the pipe), or into a
 * file when the client wants to wait for the end. In: connection, statement, reply. Out: counts.
 *
 *   engine ──write──▶ FIFO ──▶ socket on its read end ──▶ reply
 *                      ▲
 *     `keeper`, a second handle for reading and writing: opening never blocks, and the end of the
 *     data shows exactly when the engine is done and the keeper is closed
 *
 * The first HELD_BYTES are held back until the engine is done or writes more, so that small answers
 * carry their true summary and length, and early errors their true status. Invariant: as long as
 * the engine runs, the FIFO is read; a client that has gone costs a KILL and discarded bytes, never
 * a blocked engine thread.
 */
import { execFile } from 'node:child_process';
import { closeSync, constants, createReadStream, openSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { assert } from '../../base/assert.ts';
import type { Connection, RunResult } from './chdb.ts';
import { toUtf8 } from './guard.ts';
import { EMPTY_SUMMARY, type Reply, type Summary } from './http/reply.ts';
import type { Statement } from './statement.ts';

/** As much as a server buffers before its first byte. */
const HELD_BYTES = 1024 * 1024;

export interface FifoPool {
  take(): string;
  give(name: string): void;
}

/** Makes `count` FIFOs in the current folder. */
export async function createFifoPool(count: number): Promise<FifoPool> {
  const free = Array.from({ length: count }, (_, i) => `fifo-${i}`);
  await promisify(execFile)('mkfifo', free);
  return {
    take() {
      const name = free.pop();
      assert(name !== undefined, 'more results than FIFOs: admission is wrong');
      return name;
    },
    give: (name) => void free.push(name),
  };
}

export interface RowsRun {
  readonly connection: Connection;
  readonly statement: Statement;
  readonly format: string;
  /** Name of the compression the engine is to apply, if any. */
  readonly compression: string | undefined;
  readonly reply: Reply;
  /** Whether the client has gone. */
  readonly gone: () => boolean;
}

/** `target` is a path relative to the engine's working folder, without quotes. */
function outfileSql(run: RowsRun, target: string): string {
  const { statement } = run;
  const compression = run.compression ? ` COMPRESSION '${run.compression}'` : '';
  return (
    `${toUtf8(statement.body)}\nINTO OUTFILE '${target}' TRUNCATE${compression} ` +
    `FORMAT ${run.format} ${toUtf8(statement.settings)}`
  );
}

function summaryOf(result: RunResult): Summary {
  return {
    ...EMPTY_SUMMARY,
    readRows: result.rows,
    readBytes: result.rowBytes,
    resultRows: result.rows,
    elapsedMs: result.elapsedMs,
  };
}

/** Runs to the end into a file, then sends it. */
export async function sendWhole(run: RowsRun, file: string): Promise<Summary> {
  try {
    const result = await run.connection.run(outfileSql(run, file));
    const summary = summaryOf(result);
    if (run.gone()) return summary;
    const { size } = await stat(file).catch(() => ({ size: 0 }));
    const sink = run.reply.begin(summary, size);
    if (size === 0) sink.end();
    else await pipeline(createReadStream(file), sink);
    return summary;
  } finally {
    await rm(file, { force: true });
  }
}

/** Streams while the engine writes. */
export async function sendStreamed(run: RowsRun, fifo: string): Promise<Summary> {
  const keeper = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  const source = new Socket({
    fd: openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK),
    readable: true,
    writable: false,
  });
  const drained = new Promise<void>((resolve) => source.once('close', () => resolve()));
  const outlet = createOutlet(run, source);
  try {
    const result = await run.connection.run(outfileSql(run, fifo)).finally(async () => {
      closeSync(keeper);
      await drained;
    });
    const summary = summaryOf(result);
    outlet.finish(summary);
    return summary;
  } finally {
    outlet.stop();
  }
}

interface Outlet {
  finish(summary: Summary): void;
  /** What is still held is not sent. */
  stop(): void;
}

function createOutlet(run: RowsRun, source: Socket): Outlet {
  let held: Buffer[] = [];
  let heldBytes = 0;
  let sink: Writable | undefined;

  const write = (chunk: Buffer): void => {
    if (!sink || run.gone()) return;
    if (sink.write(chunk) || run.gone()) return;
    source.pause();
  };
  const open = (): void => {
    sink = run.reply.begin(EMPTY_SUMMARY);
    sink.on('drain', () => source.resume());
    run.reply.onGone(() => source.resume()); // read on, discard
    const first = Buffer.concat(held, heldBytes);
    held = [];
    write(first);
  };
  source.on('error', () => {}); // 'close' follows
  source.on('data', (chunk: Buffer) => {
    if (sink) return write(chunk);
    if (run.gone()) return;
    held.push(chunk);
    heldBytes += chunk.length;
    if (heldBytes > HELD_BYTES) open();
  });
  return {
    finish(summary) {
      if (run.gone()) return;
      if (sink) run.reply.end();
      else run.reply.finish(Buffer.concat(held, heldBytes), summary);
    },
    stop() {
      held = [];
    },
  };
}
