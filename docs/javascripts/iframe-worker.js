// The theme searches in a Worker, which browsers refuse to a page that was opened from disk. There
// a hidden frame takes its place. The theme looks for the name `IFrameWorker`.
if (location.protocol === "file:") {
  const load = (page, url) => new Promise((resolve, reject) => {
    const script = Object.assign(page.createElement("script"), { src: url });
    script.onload = resolve;
    script.onerror = () => reject(new Error(`${url} cannot be loaded`));
    page.body.append(script);
  });

  class IFrameWorker extends EventTarget {
    #frame = document.createElement("iframe");
    #ready;

    constructor(url) {
      super();
      this.#ready = new Promise((resolve) => { this.#frame.onload = resolve; })
        .then(() => this.#begin(url));
      this.#frame.hidden = true;
      this.#frame.srcdoc = "<!doctype html><body>";
      document.body.append(this.#frame);
    }

    #begin(url) {
      const inner = this.#frame.contentWindow;
      inner.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      inner.importScripts = async (...urls) => {
        for (const each of urls) await load(inner.document, each);
      };
      return load(inner.document, url);
    }

    async postMessage(data) {
      await this.#ready;
      this.#frame.contentWindow.dispatchEvent(new MessageEvent("message", { data }));
    }

    terminate() {
      this.#frame.remove();
    }
  }

  Object.assign(window, { IFrameWorker, Worker: IFrameWorker });
}
