// SPDX-License-Identifier: Apache-2.0

// Package resctrl gives native domains their classes of cache and memory
// bandwidth through Linux's file system of that name (Intel RDT and AMD QoS). A
// class is a group "vlibos.NAME" that contains the threads of its domains. Domains below
// another cgroup than "vlibos" have another master, and its groups that name.
//
// What a domain uses of caches is counted by a monitoring group "vlibos.NAME" of its
// threads, which is in the group of its class or in the default one.
//
// github.com/intel/goresctrl makes, changes and removes the groups. It does not
// tell what a processor can allocate and monitor, so [Layout] and [IDs] read that.
//
// Nothing is recorded elsewhere: [Open] and [OpenMonitor] remove groups of that prefix,
// which an earlier process left, and the kernel then puts their threads into the group
// above.
package resctrl
