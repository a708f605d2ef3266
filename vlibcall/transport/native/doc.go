// SPDX-License-Identifier: Apache-2.0

// Package native carries vlibcall channels between processes of one Linux
// machine without Xen: a sealed memfd for the memory, an eventfd in each
// direction for the events, and a unix socket to pass them and to notice a
// death. A "domain" is then a directory of sockets, one for each port.
//
// It is for trying vLibOS out, for fast tests, for measurements that need real
// time, and for channels between a vLib OS server and its library workers. It
// does not isolate: processes share a kernel.
package native
