// SPDX-License-Identifier: Apache-2.0

// Package labproto is the protocol between the lab's host side and the init
// program in Dom0. It runs over one byte stream, a virtio-serial port.
//
// The guest sends Hello, and the host answers with a Plan. The guest carries the
// plan out and reports Stages, until Prepared. Then the machine may be saved, and
// resumed any number of times: all runs of it are equal up to here. The host
// writes the run's files to the guest's disks ([DiskHeader]) and sends one Job.
// The guest reports Stages, then Running, the command's Stdout and Stderr, and
// then Exit; or Failed if it could not start the command. The host may send
// Stdin, StdinEOF and Resize at any time after Job. After Exit or Failed the
// guest sends nothing, and the host ends the machine.
//
// It is an interface of the lab alone. Both ends have the same revision; Hello
// contains it, so that an old binary is noticed.
package labproto
