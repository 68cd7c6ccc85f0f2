/**
 * The read model's door. In: where ClickHouse is, which log fills it, the kernel's blocks. Out:
 * tables, views and rows. Knows nothing of sockets, payloads or who asks.
 */
export type { Inserter, InserterStats } from './inserter.ts';
export { createReadModel, type ReadModel, type ReadModelOptions } from './read-model.ts';
export type { Refusal } from './refused/refusal.ts';
export { openSpool, type Spool } from './spool/spool.ts';
