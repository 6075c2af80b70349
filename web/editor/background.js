// @ts-check
/**
 * The picture behind the boxes: what is connected, the last result, what is being sampled, or a file that was dropped or pasted.
 *
 * The choice is the preference `background`: "none", "connected", "result", "live" (the sampler's preview, then the result), or a file in ComfyUI's input folder as
 * `{name, subfolder, type}`.  Without a choice a connected picture shows by itself.
 */

export const DIM = 0.35;

export class Background {
  /** @param {import("./editor.js").Editor} editor */
  constructor(editor) {
    this.editor = editor;
    this.url = "";
    /** @type {HTMLImageElement|null} loaded and ready to draw */
    this.image = null;
    /** Address of the sampler's last frame, until the picture is made. */
    this.live = "";
    /** @type {HTMLElement|undefined} the notice that the chosen picture could not be loaded */
    this.complaint = undefined;
  }

  /** @returns {any} */
  get choice() {
    return this.editor.state.prefs.background ?? "connected";
  }

  /** Address of the chosen picture now; "" for none. */
  get wanted() {
    const { host } = this.editor;
    const { choice } = this;
    if (choice === "connected") return host.connectedImage();
    if (choice === "live" && this.live) return this.live;
    if (choice === "result" || choice === "live") return host.resultImage();
    return choice && typeof choice === "object" ? host.viewUrl(choice) : "";
  }

  /** Load when the chosen picture is another one than before. The old one stays until the new one is there. */
  refresh() {
    const url = this.wanted;
    if (url === this.url) return;
    this.url = url;
    if (!url) return this.show(null);
    const image = new Image();
    image.onload = () => url === this.url && this.show(image);
    image.onerror = () => url === this.url && this.fail(url);
    image.src = url;
  }

  /** @param {Blob} frame the running sampler's preview, as ComfyUI sends it to the page */
  preview(frame) {
    if (this.choice !== "live") return;
    this.made();
    this.live = URL.createObjectURL(frame);
    this.refresh();
  }

  /** The picture is there, for which the frames stood. */
  made() {
    if (this.live) URL.revokeObjectURL(this.live);
    this.live = "";
  }

  /** @param {string} url */
  fail(url) {
    if (url === this.live) return; // the next frame comes soon
    this.show(null);
    const { searchParams, pathname } = new URL(url, location.href);
    this.complaint = this.editor.notices.show([this.editor.t("background.failed", { name: searchParams.get("filename") ?? pathname })], "background");
  }

  /** @param {HTMLImageElement|null} image */
  show(image) {
    this.complaint?.remove();
    this.image = image;
    if (this.choice === "connected") this.editor.host.connectedSize(image && { width: image.naturalWidth, height: image.naturalHeight });
    this.editor.invalidate();
  }

  /** @param {any} choice */
  choose(choice) {
    this.editor.setPref("background", choice === "connected" ? undefined : choice);
    this.refresh();
  }

  /** A dropped or pasted picture: kept in ComfyUI's input folder, so that it is there after a reload.
   * @param {File} file @returns {Promise<string[]>} what went wrong */
  async take(file) {
    try {
      this.choose(await this.editor.host.uploadImage(file));
      this.editor.say(this.editor.t("say.background"));
      return [];
    } catch (error) {
      return [this.editor.t("import.upload", { reason: String(error) })];
    }
  }
}
