/**
 * The embedded ClickHouse: chDB in its own process behind ClickHouse's HTTP protocol on loopback.
 * Knows queries and users, nothing of what the tables mean.
 */
export {
  type ClickHouseAddress,
  type ClickHouseEngine,
  type ClickHouseEngineOptions,
  createClickHouseEngine,
} from './engine.ts';
