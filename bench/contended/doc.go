// SPDX-License-Identifier: Apache-2.0

// Package contended measures how much memory throttling gives back to a
// real-time task, on real Xen with the module, in the lab's contended mode. It
// is the experiment of the vLibOS paper's section 5.3 and its Figure 6.
//
// The memory bus is modelled (docs/reference/lab-bus.md). Only ratios of figures from
// one boot are valid, at the service time that is printed with them.
package contended
