// SPDX-License-Identifier: Apache-2.0

// Package multicpu has only tests: of the module in the hypervisor on CPUs that run at the
// same time, in the lab's functional mode. It measures no times; package scheduling does.
package multicpu
