// SPDX-License-Identifier: Apache-2.0

// Package control is how a running master answers commands (package dom0/api says
// what they ask, package dom0/client asks): over a unix socket that root alone may
// use.
package control
