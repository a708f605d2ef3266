// SPDX-License-Identifier: Apache-2.0

// Package lidar is the paper's case study (its section 5.4) on processes of
// this machine: a task that decodes a scan, finds obstacles and decides where to
// steer, alone and beside a job that streams through memory.
//
// The scans are a simulator's, in the format that the paper's device sends
// (Hokuyo URG-04LX, SCIP 2.0). The algorithm is as the paper describes it, and
// is for measuring: no vehicle should trust it.
package lidar
