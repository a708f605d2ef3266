// SPDX-License-Identifier: Apache-2.0

// Package guest is the init program of the lab's images: one static binary that is
// process 1 in Dom0 and in every DomU.
//
// Process 1 mounts the kernel's file systems, starts the agent, which is the same
// program, collects orphans, and powers off when the agent ends. In Dom0 the agent
// starts Xen's daemons, creates the DomUs, and runs the command that the host sends
// ([labproto]). In a DomU it keeps the server running.
//
// It is for the lab's machines alone: it mounts, loads modules and powers off
// without asking.
package guest
