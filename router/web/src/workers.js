// Monaco's workers, built as files of their own; WORKERS is filled in by build.mjs.
globalThis.MonacoEnvironment = {
  getWorker(_id, label) {
    return new Worker(WORKERS[label] ?? WORKERS.editor);
  },
};
