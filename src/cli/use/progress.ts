/** Progress bars over the rows of a file or the messages of a log, on a terminal only. */
import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import cliProgress from 'cli-progress';

export interface Progress {
  show(rows: number): void;
  stop(): void;
}

const NEW_LINE = 0x0a;
const SILENT = { show: () => {}, stop: () => {} };

export async function createProgress(file: string, asJson: boolean): Promise<Progress> {
  if (asJson || process.stderr.isTTY !== true) return SILENT;
  const bar = new cliProgress.SingleBar({
    format: `${basename(file)} [{bar}] {percentage}% · {value}/{total} rows · {eta_formatted} left`,
    hideCursor: true,
    barsize: 30,
  });
  bar.start(await countLines(file), 0);
  return {
    show: (rows) => bar.update(Math.min(rows, bar.getTotal())),
    stop: () => bar.stop(),
  };
}

export interface PositionBar {
  show(position: bigint): void;
  stop(): void;
}

export function createPositionBar(
  title: string,
  { start, to }: { readonly start: { readonly position: string }; readonly to: bigint },
  asJson: boolean,
): PositionBar {
  if (asJson || process.stderr.isTTY !== true) return SILENT;
  const bar = new cliProgress.SingleBar({
    format: `${title} [{bar}] {percentage}% · message {value} of {total} · {eta_formatted} left`,
    hideCursor: true,
    clearOnComplete: true,
    barsize: 30,
  });
  bar.start(Number(to), Number(start.position));
  return { show: (position) => bar.update(Number(position)), stop: () => bar.stop() };
}

/** Rows, but for quoted line breaks: near enough for a bar. */
async function countLines(file: string): Promise<number> {
  let lines = 0;
  for await (const part of createReadStream(file) as AsyncIterable<Buffer>) {
    for (const byte of part) if (byte === NEW_LINE) lines += 1;
  }
  return Math.max(1, /\.csv$/i.test(file) ? lines - 1 : lines);
}
