// The protobuf messages of proto/weir, loaded once from their .proto files.
import { join } from "node:path";
import protobuf from "protobufjs";

/** A message type by its full name, for example weir.snapshot.Delta. */
export const messageType = (name: string): protobuf.Type => root.lookupType(name);

const directory = join(import.meta.dirname, "../../proto/weir");
const root = protobuf.loadSync([join(directory, "snapshot.proto"), join(directory, "authorization.proto")]);
