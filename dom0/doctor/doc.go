// SPDX-License-Identifier: Apache-2.0

// Package doctor finds out what a host has for calls into domains, what is
// missing, and how to get it. It is for the command doctor and for whoever
// sets a host up by program.
//
// [Examine] collects [Facts], [Facts.Findings] judges them and touches
// nothing. It repairs nothing either.
package doctor
