// SPDX-License-Identifier: Apache-2.0

// Package migration migrates a domain between two machines of the lab, by
// 'xl migrate --live', while it is called. Each test runs in the Dom0 of one of the
// machines, at the same time as the other test (build tag dom0).
package migration
