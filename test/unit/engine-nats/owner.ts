/**
 * A Millrace for the tests to kill: starts an engine, prints its server's process id, and stays.
 */
import { createNatsEngine } from '../../../src/engine/nats/engine.ts';

const { folder, searchPath, binary } = JSON.parse(process.argv[2]!) as Record<string, string>;
const engine = createNatsEngine({
  binary: binary!,
  folder: folder!,
  searchPath: searchPath!,
  port: 'auto',
  monitorPort: 'auto',
  websocketPort: 'auto',
  storeBytesMax: 1_000_000_000,
  logId: 'main',
  partitionCount: 4,
});
const { pid } = await engine.start();
console.log(pid);
