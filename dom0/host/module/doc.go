// SPDX-License-Identifier: Apache-2.0

// Package module is the host of a Xen host whose hypervisor has this project's
// module: the module keeps budgets and gates, and keeps its settings when the
// master is gone.
package module
