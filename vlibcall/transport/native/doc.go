// SPDX-License-Identifier: Apache-2.0

// Package native carries vlibcall channels between processes of one Linux
// machine without Xen: a sealed memfd for the memory, an eventfd each way
// for the events, a unix socket to hand them over and to notice a death. A
// "domain" is then a directory of sockets, one for each port.
//
// It serves for trying vLibOS out, for fast tests, for measurements that
// need real time, and between a vLib OS server and its library workers. It
// does not isolate: processes share a kernel.
package native
