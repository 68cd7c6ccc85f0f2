/**
 * What a client's error means to who asked. In: an error of @clickhouse/client. Out:
 * CLICKHOUSE_REFUSED with ClickHouse's own code and text, or CLICKHOUSE_UNREACHABLE when it never
 * answered.
 */
import { ClickHouseError } from '@clickhouse/client';
import { OperatingError } from '../model/error.ts';

/** ClickHouse's code for a user that may not change settings. */
export const READONLY_CODE = 164;

export function clickHouseCode(error: unknown): number {
  return error instanceof ClickHouseError ? Number(error.code) || 0 : 0;
}

export function queryError(error: unknown, url: string): OperatingError {
  if (error instanceof OperatingError) return error;
  const why = error instanceof Error ? error.message : String(error);
  const code = clickHouseCode(error);
  if (error instanceof ClickHouseError) {
    const text = `Code: ${code}. ${error.type}: ${why}`;
    return new OperatingError('CLICKHOUSE_REFUSED', text, { cause: error, where: { url, code } });
  }
  const text = `ClickHouse at ${url} did not answer: ${why}`;
  return new OperatingError('CLICKHOUSE_UNREACHABLE', text, { cause: error, where: { url } });
}
