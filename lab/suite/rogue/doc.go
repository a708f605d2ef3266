// SPDX-License-Identifier: Apache-2.0

// Command rogue is a vLib OS that breaks every rule. It is the guest program of the tests of
// invalid input and faults: in a DomU of the lab it replaces vlib-server. The tests in Dom0
// are this package's with the build tag dom0.
//
// Port 1 is an honest server with a few functions for the tests. Each port from firstDeed
// on has one misdeed. The misdeeds use xenstore, grants and event channels directly: a
// hostile guest need not use our transport.
//
// It is for the lab's domains alone.
package main
