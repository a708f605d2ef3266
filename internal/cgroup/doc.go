// SPDX-License-Identifier: Apache-2.0

// Package cgroup finds cgroups, of either version, and reads what those that
// count CPU time count: cpuacct of version 1, or version 2, which counts without
// any controller. What is written into their files is for who owns them to say.
package cgroup
