// SPDX-License-Identifier: Apache-2.0

// Package domu is Dom0's side of experiments in the lab: it runs commands in
// DomUs by calls to the server there.
package domu
