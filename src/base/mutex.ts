/** One at a time, in order of asking. An action that fails fails for its caller only. */
export class Mutex {
  #last: Promise<unknown> = Promise.resolve();

  run<Result>(action: () => Promise<Result> | Result): Promise<Result> {
    const turn = this.#last.then(action);
    this.#last = turn.catch(() => {});
    return turn;
  }
}
