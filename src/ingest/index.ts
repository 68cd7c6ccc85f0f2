/**
 * The door into the log: admits records, puts each into its partition's batch and answers when the
 * log has stored it. What is refused here never reached the log: the sender gets the error, and a
 * counter by code remains.
 */
import type { Clock } from '../base/clock.ts';
import type { Ingest, LogAppender, LogReader } from '../model/doors.ts';
import { type ErrorCode, isOperatingError } from '../model/error.ts';
import type { DeviceRecord, LogPosition } from '../model/record.ts';
import { partitionOf } from '../wire/subject.ts';
import { admissible, stopped } from './admission.ts';
import { LogRoom } from './log-room.ts';
import { PartitionBatch } from './partition-batch.ts';

export interface IngestOptions {
  readonly appender: LogAppender;
  /** Says how full a partition's log is: devices are refused before ticks and plans are. */
  readonly log: Pick<LogReader, 'state'>;
  readonly partitions: number;
  readonly clock: Clock;
  readonly lingerMs?: number;
}

export function createIngest(options: IngestOptions): Ingest {
  const batches = Array.from({ length: options.partitions }, (_, partition) => {
    const room = new LogRoom({ ...options, partition });
    return new PartitionBatch({ ...options, partition, room });
  });
  const refused: Partial<Record<ErrorCode, number>> = {};
  let accepted = 0;
  let stopping = false;

  async function admit(record: DeviceRecord): Promise<LogPosition> {
    try {
      if (stopping) throw stopped();
      const bytes = admissible(record);
      const position = await batches[partitionOf(record.identity, options.partitions)].add(bytes);
      accepted += 1;
      return position;
    } catch (error) {
      if (isOperatingError(error)) refused[error.code] = (refused[error.code] ?? 0) + 1;
      throw error;
    }
  }

  return {
    admit,
    get counts() {
      return { accepted, refused };
    },
    async stop() {
      stopping = true;
      await Promise.all(batches.map((batch) => batch.drain()));
    },
  };
}
