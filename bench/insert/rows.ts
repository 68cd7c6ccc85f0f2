/**
 * The rows of the insert bench: what the kernel makes of a fleet's records, as Native blocks, and
 * the very same rows in the other formats, as ClickHouse itself writes them. In: a case of the
 * drain bench and how many rows. Out: batches of about ROWS_PER_INSERT rows.
 */
import { createKernel } from '../../src/kernel/index.ts';
import type { Block, TurnOutput } from '../../src/model/doors.ts';
import type { Query } from '../../src/query/index.ts';
import type { Connection } from '../../src/readmodel/connection.ts';
import type { DrainCase } from '../drain/case.ts';
import { Corpus } from '../kernel/corpus.ts';
import { LOG, PARTITION } from '../kernel/shape.ts';

const ROWS_PER_INSERT = 100_000;
const GROUP_EVENTS = 20_000;
const MEMORY_BYTES = 512 * 1024 ** 2;

export interface RowBatch {
  readonly rows: number;
  readonly native: readonly Uint8Array[];
  readonly rowBinary: Buffer;
  readonly json: Buffer;
}

/** Blocks of the channel's table, as turns hand them in. */
export async function blocksOf(given: DrainCase, planText: string, rows: number): Promise<Block[]> {
  const kernel = await createKernel({ build: 'auto', workers: 0 });
  const options = { log: LOG, partition: PARTITION, generation: 1, memoryBytes: MEMORY_BYTES };
  const partition = kernel.open(options);
  const corpus = new Corpus({ ...given, plan: planText });
  const blocks: Block[] = [];
  let made = 0;
  const take = (output: TurnOutput) => {
    for (const block of output.blocks) {
      if (block.table !== `ch_${given.shape.channel}`) continue;
      blocks.push(block);
      made += block.rows;
    }
  };
  while (made < rows) {
    for (const chunk of corpus.next(GROUP_EVENTS).chunks) {
      let output = await partition.turn(chunk);
      for (take(output); output.status !== 'done'; take(output)) {
        if (output.status === 'plan') partition.usePlan(planText);
        output = await partition.resume();
      }
    }
  }
  partition.close();
  await kernel.stop();
  return blocks;
}

/** `table`: qualified; the rows go through a copy of it in memory. */
export async function batchesOf(
  blocks: readonly Block[],
  table: string,
  connection: Connection,
  query: Query,
): Promise<RowBatch[]> {
  const staging = `${table}_staging`;
  await connection.command(`CREATE TABLE ${staging} AS ${table} ENGINE = Memory`);
  const batches: RowBatch[] = [];
  for (const group of groupsOf(blocks)) {
    await connection.command(`TRUNCATE TABLE ${staging}`);
    const native = group.map(({ bytes }) => bytes);
    await connection.insertNative({ table: staging, blocks: native, token: `${batches.length}` });
    const text = async (format: string) => {
      const pieces: Buffer[] = [];
      const stream = await query.stream(`SELECT * FROM ${staging} FORMAT ${format}`);
      for await (const piece of stream) pieces.push(piece as Buffer);
      return Buffer.concat(pieces);
    };
    batches.push({
      rows: group.reduce((sum, each) => sum + each.rows, 0),
      native,
      rowBinary: await text('RowBinary'),
      json: await text('JSONEachRow'),
    });
  }
  await connection.command(`DROP TABLE ${staging}`);
  return batches;
}

function groupsOf(blocks: readonly Block[]): Block[][] {
  const groups: Block[][] = [];
  let rows = ROWS_PER_INSERT;
  for (const block of blocks) {
    if (rows >= ROWS_PER_INSERT) {
      groups.push([]);
      rows = 0;
    }
    groups.at(-1)!.push(block);
    rows += block.rows;
  }
  return groups;
}
