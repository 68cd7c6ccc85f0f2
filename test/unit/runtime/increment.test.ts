/** The objects of a checkpoint: which slice comes next, and what is superseded. */
import { expect } from 'chai';
import { keptObjects, nextSweep, objectName } from '../../../src/runtime/state/increment.ts';

describe('the objects of a checkpoint', () => {
  const take = (before: readonly string[], position: number, count: number, of: number) => {
    const sweep = nextSweep(before, of);
    const names = Array.from({ length: count }, (_, n) =>
      objectName(`3.1.7.${position}`, sweep, 1, n),
    );
    return { names, kept: keptObjects(before, names) };
  };

  it('begin with slice 0, and go on where the newest one stands', () => {
    expect(nextSweep([], 4)).to.deep.equal({ slice: 0, of: 4 });
    expect(nextSweep(['3.1.7.99.12'], 4)).to.deep.equal({ slice: 0, of: 4 });
    expect(nextSweep(['3.1.7.99.2of4-1-0', '3.1.7.100.3of4-5-1'], 4).slice).to.equal(0);
    expect(nextSweep(['3.1.7.99.0of4-1-0', '3.1.7.100.1of4-5-11'], 4).slice).to.equal(2);
  });

  it('are those of the last checkpoints that have all slices', () => {
    let kept: readonly string[] = ['3.1.6.10.0', '3.1.6.10.1', '3.1.6.20.0'];
    for (let position = 100; position < 103; position += 1) {
      kept = take(kept, position, 2, 4).kept;
      expect(kept).to.include('3.1.6.10.0');
    }
    const round = take(kept, 103, 3, 4).kept;
    expect(round).to.have.length(9);
    expect(round[0]).to.equal('3.1.7.100.0of4-1-0');
    const next = take(round, 104, 1, 4).kept;
    expect(next).to.have.length(8);
    expect(next[0]).to.equal('3.1.7.101.1of4-1-0');
    expect(next.at(-1)).to.equal('3.1.7.104.0of4-1-0');
  });

  it('stay until a round of another number of slices is complete', () => {
    let kept: readonly string[] = [];
    for (let position = 0; position < 4; position += 1) kept = take(kept, position, 1, 4).kept;
    kept = take(kept, 4, 1, 2).kept;
    expect(kept).to.have.length(5);
    kept = take(kept, 5, 1, 2).kept;
    expect(kept).to.deep.equal(['3.1.7.4.0of2-1-0', '3.1.7.5.1of2-1-0']);
  });
});
