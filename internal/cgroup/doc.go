// SPDX-License-Identifier: Apache-2.0

// Package cgroup finds cgroups of either version, and reads the CPU time that
// they count: cpuacct of version 1, or version 2, which counts without any
// controller. Their owners decide what to write into their files.
package cgroup
