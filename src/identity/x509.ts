// The door to the library that reads and writes X.509. It wants its polyfill loaded before it.
import "reflect-metadata";

export * from "@peculiar/x509";
