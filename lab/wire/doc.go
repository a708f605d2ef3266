// SPDX-License-Identifier: Apache-2.0

// Package wire is the protocol between the lab's host side and the init program
// in Dom0. It runs over one byte stream, a virtio-serial port in practice.
//
// The exchange: the guest sends Hello; the host answers with one Job; the guest
// reports Stages while it works, then the command's Stdout and Stderr, then
// Exit, or Failed if it could not get as far as the command. Stdin, StdinEOF
// and Resize go to the guest at any time after Job. After Exit or Failed the
// guest sends nothing, and the host takes the machine away.
//
// It is not an interface for anything but the lab, and both ends are always of
// the same revision; Hello carries it so that a stale binary is noticed.
package wire
