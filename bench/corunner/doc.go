// SPDX-License-Identifier: Apache-2.0

// Package corunner has what runs beside the thing that an experiment measures:
// batch jobs, each a domain of the native host, and the modes that control
// them.
//
// It is for the experiments in real time. A new kind of control is a row in
// [Modes]; every experiment and the report then have it.
package corunner
