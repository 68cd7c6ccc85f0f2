/**
 * A small file system of its own for one process: a tmpfs, which only root may mount. `fill` takes
 * what is left of it at once, by making the file system as small as what it holds (no memory is
 * spent on filling); `free` gives the room back.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, statfsSync } from 'node:fs';

const MIB = 1_048_576;
const FILL_TRIES_MAX = 20;
const FILL_SPARE_BYTES = 256 * 1024;
const mounted = new Set<SmallDisk>();
process.on('exit', () => {
  for (const disk of mounted) disk.unmount();
});

export class SmallDisk {
  readonly folder: string;
  readonly #mebibytes: number;

  private constructor(folder: string, mebibytes: number) {
    this.folder = folder;
    this.#mebibytes = mebibytes;
  }

  /** Null where mounting is not allowed. */
  static tryMount(folder: string, mebibytes: number): SmallDisk | null {
    mkdirSync(folder, { recursive: true });
    try {
      mount(['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', folder]);
      const disk = new SmallDisk(folder, mebibytes);
      mounted.add(disk);
      return disk;
    } catch {
      return null;
    }
  }

  fill(): void {
    for (let attempt = 1; ; attempt += 1) {
      const { blocks, bfree, bsize } = statfsSync(this.folder);
      try {
        // A little may stay free: it is gone with the next writes.
        const spareBytes = (attempt - 1) * FILL_SPARE_BYTES;
        this.#resize(`${Math.max(bsize, (blocks - bfree) * bsize + spareBytes)}`);
        return;
      } catch (error) {
        // Refused when somebody wrote meanwhile: it would be smaller than what it holds.
        if (attempt === FILL_TRIES_MAX) throw error;
      }
    }
  }

  free(): void {
    this.#resize(`${this.#mebibytes}m`);
  }

  get usedMebibytes(): number {
    const { blocks, bfree, bsize } = statfsSync(this.folder);
    return ((blocks - bfree) * bsize) / MIB;
  }

  unmount(): void {
    mounted.delete(this);
    // Lazily: a process that has just been killed may still hold a file.
    execFileSync('umount', ['-l', this.folder], { stdio: 'ignore' });
  }

  #resize(size: string): void {
    mount(['-o', `remount,size=${size}`, this.folder]);
  }
}

function mount(args: readonly string[]): void {
  execFileSync('mount', args, { stdio: 'ignore' });
}
