// SPDX-License-Identifier: Apache-2.0

// Package master owns the CPU time of a host's domains: whose reservation each
// runs on, and whether one more fits. What keeps the budgets is the host;
// the master decides, remembers, and finds domains again after they, or it,
// were started anew.
package master
