// SPDX-License-Identifier: Apache-2.0

// Package resctrl gives native domains their classes of cache and memory
// bandwidth, by the file system of that name: Intel RDT and AMD QoS of Linux. A
// class is a group "vlibos.NAME" with the threads of its domains.
//
// It is written here, and not on github.com/intel/goresctrl: version 0.14 of that
// has one state for a whole process, tells its users nothing of what the
// processor has, finds the file system in /proc/mounts alone, so that no test
// could stand on it, and brings OpenTelemetry and two YAML packages along.
//
// Nothing is kept elsewhere: groups of that prefix that an earlier process left
// are taken away by the next one. Their threads are then in the default group.
package resctrl
