/**
 * The gate on the compiled kernel (ENGINES.md §3): what would let a build keep something outside
 * the partition's memory, or touch state when a module starts, is not in it.
 */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { STATE_BASE } from '../../assembly/shared/control.ts';

const textOf = (build: string): string =>
  readFileSync(
    new URL(`../../build/kernel/${build}.wat`, import.meta.url.replace('/build/test/', '/test/')),
    'utf8',
  );

/** Addresses behind the last byte of every data segment. */
function dataEnds(text: string): number[] {
  return [...text.matchAll(/\(data \$\S+ \(i32\.const (\d+)\) "((?:[^"\\]|\\.)*)"\)/g)].map(
    ([, at, bytes]) => Number(at) + bytes!.replace(/\\(?:[0-9a-f]{2}|.)/g, 'x').length,
  );
}

describe('the kernel binary', () => {
  for (const build of ['release', 'scalar']) {
    describe(build, () => {
      const text = textOf(build);

      it('has no mutable globals', () => {
        expect(text).to.not.match(/\(global \S+ \(mut/);
      });
      it('has no start function and no table', () => {
        expect(text).to.not.match(/\n\s*\((start|table|elem)\b/);
      });
      it('imports its memory, shared, and nothing else', () => {
        const imports = [...text.matchAll(/\(import "(\w+)" "(\w+)" \((\w+)/g)].map((each) =>
          each.slice(1).join(' '),
        );
        expect(imports).to.deep.equal(['env memory memory']);
        expect(text).to.match(/\(import "env" "memory" \(memory \$0 1 65536 shared\)\)/);
      });
      it('has all of its data below the state', () => {
        const ends = dataEnds(text);
        expect(ends.length).to.be.greaterThan(0);
        expect(Math.max(...ends)).to.be.at.most(STATE_BASE);
      });
      it('cannot grow its memory', () => {
        expect(text).to.not.include('memory.grow');
      });
    });
  }

  it('has vectors in the one build and none in the other', () => {
    expect(textOf('release')).to.include('i32x4.eq');
    expect(textOf('scalar')).to.not.include('v128');
  });
});
