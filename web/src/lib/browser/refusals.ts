/** What the browser's own back end cannot do as asked, by the codes that the server has for the same. */

import { BackendError, type Reason } from "../backend";

export function refused(code: string, message: string, parameters: Reason["parameters"] = {}): BackendError {
  return new BackendError("refused", message, 1, { code, parameters });
}
