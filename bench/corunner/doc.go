// SPDX-License-Identifier: Apache-2.0

// Package corunner is what stands beside the thing that an experiment
// measures: jobs that are in no hurry, each a domain of the native host,
// and the modes in which they are held back.
//
// It is for the experiments in real time. A new way of control is a row in
// [Modes], and every experiment and the report have it.
package corunner
