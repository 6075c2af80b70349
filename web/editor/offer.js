// @ts-check
/** "Fill from picture": what the connected nodes find is offered on the stage, as boxes that came with a run are. */
import { LayoutError } from "./layout.js";

export class Offer {
  /** @param {import("./editor.js").Editor} editor */
  constructor(editor) {
    this.editor = editor;
    this.busy = false;
  }

  get possible() {
    return !this.busy && this.editor.host.hasBoxes();
  }

  async run() {
    const { editor } = this;
    this.busy = true;
    editor.say(editor.t("fill.running"));
    editor.notices.show(await this.ask(), "fill");
    this.busy = false;
  }

  /** @returns {Promise<string[]>} what is to be said */
  async ask() {
    const { host, report, t } = this.editor;
    try {
      const said = report.offer(await host.connectedBoxes());
      this.editor.say(t("fill.found", { n: report.ghosts.length }));
      return report.ghosts.length ? said : [...said, t("fill.none")];
    } catch (error) {
      return [error instanceof LayoutError ? t(error.key, error.values) : t("fill.refused", { reason: refusal(error) })];
    }
  }
}

/** ComfyUI's own words for a prompt that it does not take. @param {any} error */
const refusal = (error) => error?.response?.error?.message ?? String(error?.message ?? error);
