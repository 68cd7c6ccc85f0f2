/**
 * The bounds of a path in a plan: as deep as payloads are read, of names that fit the kernel's
 * buffers. In: a path and the channel it belongs to. Out: PLAN_TOO_LARGE when it is beyond them.
 */
import { JSON_DEPTH_MAX } from '../../../assembly/shared/abi.ts';
import { KEY_BYTES_MAX } from '../../../assembly/shared/plan-layout.ts';
import { OperatingError } from '../../model/error.ts';

export function checkPath(path: readonly string[], channel: string): void {
  const where = `channel ${channel}: path ${JSON.stringify(path)}`;
  if (path.length < 1 || path.length > JSON_DEPTH_MAX) {
    throw new OperatingError(
      'PLAN_TOO_LARGE',
      `${where} has ${path.length} members; expected 1 to ${JSON_DEPTH_MAX}.`,
    );
  }
  for (const name of path) {
    if (Buffer.byteLength(name) > KEY_BYTES_MAX) {
      throw new OperatingError(
        'PLAN_TOO_LARGE',
        `${where} has a member name of more than ${KEY_BYTES_MAX} bytes.`,
      );
    }
  }
}
