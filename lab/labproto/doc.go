// SPDX-License-Identifier: Apache-2.0

// Package labproto is the protocol between the lab's host side and the init program
// in Dom0. It runs over one byte stream, a virtio-serial port in practice.
//
// The exchange: the guest sends Hello; the host answers with a Plan, which the
// guest carries out, reporting Stages, up to Prepared. There the machine may be
// saved, and resumed any number of times: what comes before is the same in each
// of them. The host puts the run's files on the guest's disks ([DiskHeader]) and
// sends one Job; the guest reports Stages, then Running, the command's Stdout
// and Stderr, then Exit, or Failed if it could not get as far as the command.
// Stdin, StdinEOF and Resize go to the guest at any time after Job. After Exit
// or Failed the guest sends nothing, and the host takes the machine away.
//
// It is not an interface for anything but the lab, and both ends are always of
// the same revision; Hello carries it so that a stale binary is noticed.
package labproto
