// SPDX-License-Identifier: Apache-2.0

// Command rogue is a vLib OS that breaks every rule: the guest program behind
// the tests of bad input and faults. In a DomU of the lab it takes the place of
// vlib-server; lab_test.go is what runs against it in Dom0.
//
// Port 1 is an honest server with a few functions of use to the tests. Each
// port from firstDeed on has one misdeed. They are written against xenstore,
// grants and event channels themselves, for a hostile guest is not bound to use
// our transport.
//
// It is not for any domain but the lab's.
package main
