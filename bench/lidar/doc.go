// SPDX-License-Identifier: Apache-2.0

// Package lidar is the paper's case study (its section 5.4) on processes of
// this machine. A task decodes a scan, finds obstacles and decides where to
// steer. It runs alone, and beside a job that streams through memory.
//
// The scans come from a simulator, in the format of the paper's device (Hokuyo
// URG-04LX, SCIP 2.0). The algorithm follows the paper's description. It is for
// measurements and not for vehicles.
package lidar
