/** The text that the user has not sent yet. It survives a login. */

const KEY = "chat.draft";

export const readDraft = () => window.sessionStorage.getItem(KEY) ?? "";
export const keepDraft = (text: string) => window.sessionStorage.setItem(KEY, text);
export const forgetDraft = () => window.sessionStorage.removeItem(KEY);
