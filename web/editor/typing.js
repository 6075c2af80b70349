// @ts-check
/** What the keys do in every field in which a box's words are typed. */

/** Whether a key ends typing, and the words stay: undo takes them away. @param {KeyboardEvent} e */
export const endsTyping = (e) => !e.isComposing
  && (e.key === "Escape" || (e.key === "Enter" && !e.shiftKey && !e.ctrlKey && !e.metaKey));
