/**
 * Asks ClickHouse. In: SQL and parameters. Out: rows or a stream of bytes in any format. Every
 * question goes out read-only: by the account, else by `readonly = 2`. This room never writes,
 * whoever asks.
 */
import type { Readable } from 'node:stream';
import {
  type ClickHouseClient,
  ClickHouseLogLevel,
  type ClickHouseSettings,
  createClient,
} from '@clickhouse/client';
import { clickHouseCode, queryError, READONLY_CODE } from './failure.ts';

/** An analyst's question over months may take this long. */
const REQUEST_MS_MAX = 600_000;
const CONNECTIONS_MAX = 8;

export interface Endpoint {
  readonly url: string;
  readonly database: string;
  readonly user: string;
  readonly password: string;
}

/** Values for `{name: Type}` in the SQL. */
export type Parameters = Readonly<Record<string, unknown>>;

export interface StreamOptions {
  /** ClickHouse format for SQL without FORMAT of its own; default JSONEachRow. */
  readonly format?: string;
  readonly parameters?: Parameters;
  readonly signal?: AbortSignal;
}

interface Account {
  /** The server itself keeps this account from writing. */
  readonly isReadOnly: boolean;
  /** False once the server said that it takes no settings from this account. */
  maySet: boolean;
}

export interface Asker {
  rows<T>(sql: string, parameters?: Parameters, signal?: AbortSignal): Promise<T[]>;
  stream(sql: string, options?: StreamOptions): Promise<Readable>;
  ping(): Promise<void>;
  close(): Promise<void>;
}

export function createAsker(endpoint: Endpoint): Asker {
  return new ClickHouseAsker(endpoint);
}

class ClickHouseAsker implements Asker {
  readonly #url: string;
  readonly #client: ClickHouseClient;
  #account: Promise<Account> | null = null;

  constructor(endpoint: Endpoint) {
    this.#url = endpoint.url;
    this.#client = createClient({
      url: endpoint.url,
      database: endpoint.database,
      username: endpoint.user,
      password: endpoint.password,
      request_timeout: REQUEST_MS_MAX,
      max_open_connections: CONNECTIONS_MAX,
      log: { level: ClickHouseLogLevel.OFF },
    });
  }

  rows<T>(sql: string, parameters?: Parameters, signal?: AbortSignal): Promise<T[]> {
    const settings = { output_format_json_quote_64bit_integers: 1 as const };
    return this.#ask(settings, async (clickhouse_settings) => {
      const reply = await this.#client.query({
        query: sql,
        query_params: parameters,
        format: 'JSONEachRow',
        abort_signal: signal,
        clickhouse_settings,
      });
      return reply.json<T>();
    });
  }

  stream(sql: string, options: StreamOptions = {}): Promise<Readable> {
    const format = options.format ?? 'JSONEachRow';
    return this.#ask({}, async (clickhouse_settings) => {
      const reply = await this.#client.exec({
        query: sql,
        query_params: options.parameters,
        abort_signal: options.signal,
        // A parameter of the protocol, not a setting: read-only accounts may send it too.
        clickhouse_settings: { ...clickhouse_settings, default_format: format } as never,
      });
      return reply.stream;
    });
  }

  async ping(): Promise<void> {
    const reply = await this.#client.ping({ select: false });
    if (!reply.success) throw queryError(reply.error, this.#url);
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  async #ask<T>(
    settings: ClickHouseSettings,
    send: (settings: ClickHouseSettings) => Promise<T>,
  ): Promise<T> {
    try {
      const account = await this.#knownAccount();
      // Level 2: reads only, but the question may bring settings of its own.
      if (!account.isReadOnly) return await send({ ...settings, readonly: '2' });
      if (!account.maySet) return await send({});
      return await send(settings).catch((error: unknown) => {
        if (clickHouseCode(error) !== READONLY_CODE) throw error;
        // Nothing can be written with this account, so asking again without settings is safe.
        account.maySet = false;
        return send({});
      });
    } catch (error) {
      throw queryError(error, this.#url);
    }
  }

  #knownAccount(): Promise<Account> {
    this.#account ??= this.#findAccount().catch((error: unknown) => {
      this.#account = null;
      throw error;
    });
    return this.#account;
  }

  async #findAccount(): Promise<Account> {
    const sql = "SELECT toString(getSetting('readonly')) AS level";
    const reply = await this.#client.query({ query: sql, format: 'JSONEachRow' });
    const [row] = await reply.json<{ level: string }>();
    return { isReadOnly: row?.level !== '0', maySet: true };
  }
}
