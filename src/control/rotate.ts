// weir control --rotate-root: a change of the state that running authorities find.
import { existsSync } from "node:fs";
import { WeirError } from "../errors.ts";
import { OwnAuthority } from "../identity/own-authority.ts";
import { PrivateDirectory } from "../identity/private-directory.ts";

/** Answers when the new root begins to sign. Throws NOT_FOUND and AUTHORITY_UNUSABLE. */
export async function rotateRoot(caDir: string, trustDomain: string): Promise<Date> {
  if (!existsSync(caDir)) throw new WeirError("NOT_FOUND", { what: `authority in ${caDir}` });
  const directory = new PrivateDirectory(caDir);
  const authority = await OwnAuthority.open({ directory, trustDomain, now: Date.now });
  return authority.rotate();
}
