// SPDX-License-Identifier: Apache-2.0

// Package broker carries what XAPI's VMs ask for to a master, and the master's
// answers back.
//
// A VM asks by entries of its other_config: vlibos:budget, vlibos:period,
// vlibos:vcpus, vlibos:class, vlibos:cache and vlibos:calls. The answer is vlibos:status. The
// broker of each host takes the VMs that run there. It decides nothing: requests
// become entries of the master's one table. While XAPI does not answer, the last
// requests stay.
package broker
