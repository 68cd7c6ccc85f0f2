/**
 * How large a checkpoint is when a tenth of the devices are active, against a whole export. In: how
 * many devices. Out: mean bytes over a round of all slices, as every checkpoint has one.
 */
import { STATE_SLICES } from '../../src/model/limit.ts';
import { nextSweep, objectName } from '../../src/runtime/state/increment.ts';
import { drive } from '../../test/kernel/drive.ts';
import { bytesOf, Fleet } from './fleet.ts';

const ACTIVE_SHARE = 0.1;

export async function sizeCase(devices: number) {
  const fleet = await Fleet.open(devices);
  const { partition } = fleet;
  const wholeBytes = bytesOf([...partition.exportState('all')]);
  partition.exportDone(true);
  let names: string[] = [];
  let bytes = 0;
  let changedBytes = 0;
  for (let round = 0; round < STATE_SLICES; round += 1) {
    await drive(partition, fleet.report(0, devices * ACTIVE_SHARE));
    changedBytes += bytesOf([...partition.exportState('changed')]);
    partition.exportDone(false);
    const sweep = nextSweep(names);
    partition.beginExport(sweep);
    for (let isWhole = false; !isWhole; ) {
      const part = partition.continueExport(2 ** 30);
      bytes += bytesOf(part.chunks);
      isWhole = part.rootHash !== null;
    }
    partition.exportDone(true);
    names = [objectName(`0.1.1.${round}`, sweep, 1, 0)];
  }
  const incrementBytes = Math.round(bytes / STATE_SLICES);
  return {
    ...{ devices, activeShare: ACTIVE_SHARE, wholeBytes, incrementBytes },
    changedBytes: Math.round(changedBytes / STATE_SLICES),
    share: Number((incrementBytes / wholeBytes).toFixed(3)),
  };
}
