// SPDX-License-Identifier: Apache-2.0

// Package xapitest is a XAPI for tests: a pool of VMs, events, and the calls that
// package xapi and the npm package xen-api make, over a unix socket or any HTTP
// server. It is made of XAPI's published tables of fields, messages and errors,
// and of what its source says of tokens. No real XAPI has been compared with it.
//
// Tests make it fail: slow, cut off at any byte, with wrong tokens, in emergency
// mode, with another coordinator.
package xapitest
