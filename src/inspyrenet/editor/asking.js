// At most one question at a time: while one is on its way, only the newest of those that follow is kept.
export class Asking {
  constructor(ask, answered, failed) {
    Object.assign(this, { ask, answered, failed, running: null, next: null });
  }

  // Returns when this question, or a newer one, has its answer.
  put(question) {
    this.next = { question };
    this.running ??= this.#run().finally(() => { this.running = null; });
    return this.running;
  }

  async settled() {
    await this.running;
  }

  // Nobody wants an answer any more.
  forget() {
    this.next = null;
    this.answered = this.failed = () => {};
  }

  async #run() {
    while (this.next) {
      const { question } = this.next;
      this.next = null;
      const begun = performance.now();
      try {
        this.answered(await this.ask(question), performance.now() - begun, question);
      } catch (error) {
        this.failed(error, question);
      }
    }
  }
}
