// SPDX-License-Identifier: Apache-2.0

// Package doctor finds out what a host offers for calls into domains, what is
// missing, and how to get it. It is for the command doctor and for programs that set
// a host up.
//
// [Examine] collects [Facts], and [Facts.Findings] judges them. Neither changes the
// host.
package doctor
