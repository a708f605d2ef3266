// SPDX-License-Identifier: Apache-2.0

// Package guest is the init program of the lab's images: one static binary
// that is process 1 in Dom0 and in every DomU.
//
// Process 1 mounts the kernel's file systems, starts itself a second time as
// the agent, collects orphans, and powers off when the agent ends. The agent
// does the work: in Dom0 it starts Xen's daemons, creates the DomUs, and runs
// the command that the host sends ([wire]); in a DomU it keeps the server
// running.
//
// It is not for a machine that is not the lab's: it mounts, loads modules and
// powers off without asking.
package guest
