// Bytes from the client to the server, as fast as they are taken, in writes of 64 KiB.
import { ports } from "../bench.ts";
import { carriesLoad, type Row } from "./row.ts";

const throughput = (name: string, title: string, streams: number): Row => ({
  name,
  figures: [
    { name: `${name}.rate`, title, unit: "GB/s", digits: 2 },
    { name: `${name}.cpu`, title: `${title}: CPU of the machine`, unit: "s/GB", digits: 2 },
  ],
  measures: carriesLoad,
  async run(bench, peer) {
    const measured = await bench.load("stream", peer.address, ports.sink, ["--connections", String(streams)]);
    const gigabytes = measured.bytes / 1e9;
    return { [`${name}.rate`]: gigabytes / measured.seconds, [`${name}.cpu`]: measured.busySeconds / gigabytes };
  },
});

export const oneStream: Row = throughput("stream1", "one stream", 1);
export const eightStreams: Row = throughput("stream8", "eight streams", 8);
