// SPDX-License-Identifier: Apache-2.0

// Package cgroup finds the cgroups that count CPU time, of either version, and
// reads what they count: cpuacct of version 1, or version 2, which counts
// without any controller. It weighs and limits nothing.
package cgroup
